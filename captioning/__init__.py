"""Captioning: a photo in, captions out, with what the model looked at for each word.

from captioning import Captioner

captioner = Captioner.load()
captions = captioner(image)  # (H, W, 3) uint8 RGB array or PIL image -> list[Caption]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captioning.caption import Alternative, Caption, Word
    from captioning.captioner import Captioner, Progress
    from captioning.options import SearchOptions

#: Public name -> its module, imported when the name is first asked for: torch takes seconds, and
#: the page is up before it.
_HOMES = {
    "Alternative": "caption",
    "Caption": "caption",
    "Captioner": "captioner",
    "Progress": "captioner",
    "SearchOptions": "options",
    "Word": "caption",
}

__all__ = ["Alternative", "Caption", "Captioner", "Progress", "SearchOptions", "Word"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"captioning.{_HOMES[name]}"), name)
