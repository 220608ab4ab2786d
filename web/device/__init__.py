"""The visitor's own device: what the page hands out so that faces are found in the browser."""
