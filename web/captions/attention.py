"""Attention of a word as a heat map over the photo and as a place in words."""

import cv2
import numpy as np

# Colours from little to much attention, RGBA in 0..1, at equal steps: ink that dims what was not
# looked at, teal, then a yellow that stays thin enough to see the photo through. In the order of
# viridis, so that colour-blind people and grey printers see the same order.
_RAMP = np.array(
    [
        [0.05, 0.05, 0.14, 0.76],
        [0.06, 0.15, 0.27, 0.64],
        [0.05, 0.42, 0.44, 0.46],
        [0.35, 0.72, 0.40, 0.36],
        [1.00, 0.92, 0.20, 0.48],
    ],
    np.float32,
)
_EVEN = 1.5  # a strongest cell below this many times the mean is no place of its own

_ROWS = ("upper", "", "lower")
_COLUMNS = ("left", "", "right")
_EDGES = {("upper", ""): "the top", ("lower", ""): "the bottom", ("", ""): "the middle"}


def heat_map(attention: np.ndarray, side: int = 64) -> np.ndarray:
    """A smooth heat map to be stretched over the photo: dark where little was looked at,
    yellow where much.

    attention: (rows, columns) float, shares of the whole photo, sum 1, row 0 at the top.
    Returns (side, side, 4) uint8 RGBA, straight alpha. The colours span the map's own range, but
    a map whose cells differ by less than their mean keeps to the middle of the colours: evenly
    spread attention is not made to look like a place.
    """
    low, high = float(attention.min()), float(attention.max())
    mean = 1 / attention.size
    span = max(high - low, mean)
    level = (attention - (low + high) / 2) / span + 0.5
    smooth = cv2.resize(level.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    place = np.clip(smooth, 0, 1) * (len(_RAMP) - 1)
    below = np.minimum(place.astype(int), len(_RAMP) - 2)
    above = (place - below)[..., None]
    colours = _RAMP[below] * (1 - above) + _RAMP[below + 1] * above
    return np.rint(colours * 255).astype(np.uint8)


def name_place(attention: np.ndarray) -> str:
    """The place in the photo with most of the attention: "the upper left", "the whole photo", …

    attention: as in `heat_map`. The place is the centre of the cells that got at least half of
    the strongest one's lead over the mean.
    """
    mean = 1 / attention.size
    if attention.max() < _EVEN * mean:
        return "the whole photo"
    lead = np.clip(attention - mean, 0, None)
    lead[lead < lead.max() / 2] = 0
    lead /= lead.sum()
    down = float(lead.sum(axis=1) @ (np.arange(len(lead)) + 0.5)) / lead.shape[0]
    across = float(lead.sum(axis=0) @ (np.arange(lead.shape[1]) + 0.5)) / lead.shape[1]
    row, column = _ROWS[min(int(down * 3), 2)], _COLUMNS[min(int(across * 3), 2)]
    return _EDGES.get((row, column)) or " ".join(filter(None, ("the", row, column)))
