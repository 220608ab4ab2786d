"""What makes a server of the page: options, what stands between the network and it, the line of
those who wait, health, log, stopping."""
