"""Named inputs and outputs of a network, the same for every engine that runs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Port:
    """A named input or output of a network.

    dtype: as numpy spells it. shape: a number, or the name of a size that may differ from call to
    call ("batch"). meaning: in words, with colour order, range and units.
    """

    dtype: str
    shape: tuple[int | str, ...]
    meaning: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"dtype": self.dtype, "shape": list(self.shape), "meaning": self.meaning}


Ports = Mapping[str, Port]
