"""The captioner's networks in whatever engine runs them."""
