"""The words of captions: measured as people read them, and how far they can be trusted."""
