"""The static site: photo and live view on the visitor's own device, as plain files."""
