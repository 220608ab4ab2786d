"""Any photo file read safely: limits, pixels, JPEG."""
