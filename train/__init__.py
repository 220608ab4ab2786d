"""Data preparation, training and evaluation: what makes `weights/` and every published figure."""
