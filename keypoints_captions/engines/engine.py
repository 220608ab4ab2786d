"""The one way in which this project runs a network: named arrays in, named arrays out."""

from abc import ABC, abstractmethod

import numpy as np

from keypoints_captions.engines.ports import Ports


class Engine(ABC):
    """A network ready to run; calls may come from several threads.

    name: of what runs it and in which number format, for people: "OpenVINO bfloat16".
    inputs, outputs: by their names. Every first size is a batch, the same for all of them.
    """

    name: str
    inputs: Ports
    outputs: Ports

    @abstractmethod
    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs for these inputs, which `Ports` describe; the arrays are the caller's."""
