"""Face detectors and their boxes."""
