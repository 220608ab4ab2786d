"""What makes a server of the page: options, the line of those who wait, health, log, stopping."""
