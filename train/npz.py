"""Dataclasses of arrays, saved as .npz files."""

from pathlib import Path
from typing import Self

import numpy as np


class Arrays:
    """Base of a dataclass whose fields are all arrays."""

    def save(self, path: Path) -> None:
        """Writes an .npz file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**arrays)
