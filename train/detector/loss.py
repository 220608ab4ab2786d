"""Targets and loss of the detector's cells."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import complete_box_iou_loss

from facial_keypoints.detection.network import STRIDES, Cells, cell_grid

#: Sides (root of the area, pixels) of the faces that each grid answers for. The ranges overlap:
#: the score, highest for a face's best box, tells which grid does better.
SIDES = ((0.0, 40.0), (28.0, 100.0), (72.0, float("inf")))
#: Strides from the face's middle within which a cell answers for it, in x and in y.
RADIUS = 1.25
#: Cells without a face weigh this, times their score to this power.
NEGATIVE_WEIGHT, NEGATIVE_POWER = 0.75, 2.0
#: Smooth L1 turns from square to linear at this error, in sides of the face.
POINT_BETA = 0.02
WEIGHTS = {"score": 1.0, "box": 2.0, "points": 1.0}


def assign(boxes: Tensor, ignored: Tensor, sizes: list[torch.Size]) -> tuple[Tensor, Tensor]:
    """Assignment of faces to cells.

    Args:
        boxes: (N, K, 4) float32, left, top, right, bottom, pixels of the canvas; a box of no area
            is none.
        ignored: (N, K) bool.
        sizes: height and width of each grid.

    Returns:
        (N, M) int64, the number of the face, -1 where there is none; (N, M) bool, whether the
        cell's score counts: not where it has no face and lies in an ignored box.
    """
    centres, strides = cell_grid(sizes, boxes.device)
    low = torch.tensor([side[0] for side in SIDES], device=boxes.device)
    high = torch.tensor([side[1] for side in SIDES], device=boxes.device)
    level = torch.log2(strides / STRIDES[0]).round().long()

    size = boxes[..., 2:] - boxes[..., :2]
    area = size.prod(dim=2)  # (N, K)
    side = area.sqrt()[:, None]  # (N, 1, K)
    x, y = centres[:, 0, None], centres[:, 1, None]  # (M, 1)
    left, top, right, bottom = (edge[:, None] for edge in boxes.unbind(dim=2))  # (N, 1, K)
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)  # (N, M, K)
    away = torch.maximum((x - (left + right) / 2).abs(), (y - (top + bottom) / 2).abs())
    answers = inside & (away < RADIUS * strides[:, None])
    answers &= (side >= low[level][:, None]) & (side < high[level][:, None])
    answers &= ~ignored[:, None]

    cost = torch.where(answers, area[:, None], torch.inf)  # of two faces, the smaller
    least, face = cost.min(dim=2)
    face = torch.where(least.isinf(), -1, face)
    counts = (face >= 0) | ~(inside & ignored[:, None]).any(dim=2)
    return face, counts


def detector_loss(
    cells: Cells, sizes: list[torch.Size], boxes: Tensor, points: Tensor, ignored: Tensor
) -> dict[str, Tensor]:
    """The loss, as named terms that add up.

    The score's is the varifocal loss (Zhang et al., CVPR 2021): cells of a face weigh as much as
    their target, others the less the surer they are that there is none. The target is the overlap
    of the cell's box with the face's over the best overlap of that face's cells: the score tells
    faces from other things, whatever their size, and the best box of a face has the highest.

    Args:
        boxes, ignored: see `assign`. points: (N, K, 5, 2) float32, canvas pixels, NaN: unknown.
    """
    if boxes.shape[1] == 0:
        boxes, points = boxes.new_zeros(len(boxes), 1, 4), points.new_zeros(len(boxes), 1, 5, 2)
        ignored = ignored.new_ones(len(boxes), 1)
    face, counts = assign(boxes, ignored, sizes)
    photo, cell = torch.nonzero(face >= 0, as_tuple=True)
    number = face[photo, cell]
    positives = max(1, len(photo))
    predicted, wanted = cells.box[photo, cell], boxes[photo, number]

    with torch.no_grad():
        overlap = overlaps(predicted, wanted)
        best = overlap.new_zeros(boxes.shape[0] * boxes.shape[1])
        which = photo * boxes.shape[1] + number
        best.scatter_reduce_(0, which, overlap, "amax")
        target = torch.zeros_like(cells.logit)
        target[photo, cell] = overlap / best[which].clamp(min=1e-6)
    negative = NEGATIVE_WEIGHT * torch.sigmoid(cells.logit) ** NEGATIVE_POWER * counts
    weight = torch.where(face >= 0, target, negative)
    score = F.binary_cross_entropy_with_logits(cells.logit, target, reduction="none") * weight

    known_points = points[photo, number]
    known = ~known_points.isnan()
    side = (wanted[:, 2:] - wanted[:, :2]).prod(dim=1).sqrt()[:, None, None]
    error = (cells.points[photo, cell] - known_points.nan_to_num()) / side
    distance = F.smooth_l1_loss(error, torch.zeros_like(error), beta=POINT_BETA, reduction="none")
    terms = {
        "score": score.sum() / target.sum().clamp(min=1),
        "box": complete_box_iou_loss(predicted, wanted, reduction="sum") / positives,
        "points": (distance * known).sum() / known.any(dim=2).any(dim=1).sum().clamp(min=1),
    }
    return {name: WEIGHTS[name] * term for name, term in terms.items()}


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """(N,) intersection over union of N pairs of boxes left, top, right, bottom."""
    corner = torch.maximum(a[:, :2], b[:, :2])
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - corner).clamp(min=0).prod(dim=1)
    areas = (a[:, 2:] - a[:, :2]).prod(dim=1) + (b[:, 2:] - b[:, :2]).prod(dim=1)
    return shared / (areas - shared).clamp(min=1e-6)
