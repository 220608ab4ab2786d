"""Captioning: a photo in, captions out, with what the model looked at for each word."""

from captioning.caption import Alternative, Caption, Word
from captioning.captioner import Captioner, Progress
from captioning.search import SearchOptions

__all__ = ["Alternative", "Caption", "Captioner", "Progress", "SearchOptions", "Word"]
