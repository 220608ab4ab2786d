"""Words of captions: figures for readers, and calibrated confidence."""
