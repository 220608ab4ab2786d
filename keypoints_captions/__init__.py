"""What both libraries and training share: reading photos, model files, command lines."""
