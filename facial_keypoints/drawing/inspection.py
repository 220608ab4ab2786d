"""Pictures of the CNN's inside: feature maps, single filters, heat maps of the points."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from facial_keypoints.drawing.faces import AXIS_COLOURS, GROUP_COLOURS
from facial_keypoints.drawing.text import DARK, draw_text, text_size
from facial_keypoints.face import Face
from facial_keypoints.landmarks.crops import crops_from_points, cut
from facial_keypoints.landmarks.markup import NUM_POINTS, PART_GROUPS, group_indices
from facial_keypoints.landmarks.network import KeypointNet, preprocess

#: Colours of the strongest negative, of no and of the strongest positive value: blue and
#: vermilion, which every kind of colour blindness tells apart.
_DIVERGING = np.array([AXIS_COLOURS[2], (247, 247, 247), AXIS_COLOURS[0]], np.float32)

_GAP = 2  # pixels between tiles


@dataclass(frozen=True)
class FilterEffect:
    """One filter of a convolution and what it makes of an input.

    kernel: (C, k, k) float32, one plane for each input channel (RGB in the first layer).
    response: (H, W) float32, the convolution's output before any activation.
    """

    kernel: np.ndarray
    response: np.ndarray


def face_input(network: KeypointNet, image: np.ndarray, face: Face) -> tuple[np.ndarray, Tensor]:
    """The crop from which the CNN reads a face's final points.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        The crop, (S, S, 3) uint8 RGB, and the same as a batch for the network,
        (1, 3, S, S) float32 on its device.
    """
    crop = cut(image, crops_from_points(face.points[None]), network.config.input_size)
    device = next(network.parameters()).device
    return crop[0], preprocess(torch.from_numpy(crop).to(device), network.config)


def layer_names(network: nn.Module) -> list[str]:
    """Readable names of the layers that can be looked at, from the input on.

    A layer is a convolution (with its normalisation and activation, where they are one
    `nn.Sequential`) or a block of several in a chain, such as "stage 2 block 1".
    """
    return list(_layers(network))


def filter_layer_names(network: nn.Module) -> list[str]:
    """Names of the layers that are single convolutions, for `filter_effect`."""
    return [name for name, module in _layers(network).items() if _is_unit(module)]


def filter_count(network: nn.Module, layer: str) -> int:
    """Number of filters of a layer of `filter_layer_names`.

    Raises:
        ValueError: the network has no such layer, or it is not a single convolution.
    """
    return _convolution(network, layer).out_channels


@torch.inference_mode()
def feature_maps(network: nn.Module, batch: Tensor, layer: str) -> np.ndarray:
    """A layer's output for an input.

    Args:
        network: left in the mode (training or eval) it is in.
        batch: (1, 3, S, S) float32, preprocessed, on the network's device.
        layer: one of `layer_names(network)`.

    Returns:
        (C, H, W) float32.

    Raises:
        ValueError: the network has no such layer, or it makes no maps.
    """
    return _run(network, batch, _layer(network, layer), layer)


@torch.inference_mode()
def filter_effect(network: nn.Module, batch: Tensor, layer: str, index: int) -> FilterEffect:
    """One filter of a convolution and its response.

    Args:
        batch: (1, 3, S, S) float32, preprocessed, on the network's device.
        layer: one of `filter_layer_names(network)`.
        index: of the filter, 0 to `filter_count(network, layer)` - 1.

    Raises:
        ValueError: there is no such layer or filter.
    """
    convolution = _convolution(network, layer)
    if not 0 <= index < convolution.out_channels:
        raise ValueError(
            f"Layer {layer!r} has filters 0 to {convolution.out_channels - 1}, not {index}."
        )
    response = _run(network, batch, convolution, layer)[index]
    return FilterEffect(convolution.weight[index].detach().float().cpu().numpy(), response)


@torch.inference_mode()
def heat_maps(network: nn.Module, batch: Tensor) -> np.ndarray | None:
    """The CNN's heat map of each point on the crop.

    Args:
        batch: (1, 3, S, S) float32, preprocessed, on the network's device.

    Returns:
        (68, H, W) float32, each map a probability distribution; None for a network whose last
        convolution does not make one map for each point.
    """
    name, module = list(_layers(network).items())[-1]
    if not isinstance(module, nn.Conv2d) or module.out_channels != NUM_POINTS:
        return None
    logits = _run(network, batch, module, name)
    maps = torch.softmax(torch.from_numpy(logits).flatten(1), dim=1).reshape(logits.shape)
    return maps.numpy()


def tile_maps(maps: np.ndarray, columns: int | None = None, size: int = 96) -> np.ndarray:
    """Feature maps side by side, each from its own least (dark) to its greatest value (bright).

    The colours are viridis, perceptually uniform and readable by colour-blind people; a map that
    is the same everywhere is dark. The number on each is its channel.

    Args:
        maps: (C, H, W) float.
        columns: tiles in a row; about as many as rows by default.
        size: longer side of a tile in pixels.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    tiles = []
    for plane in maps:
        low, high = float(plane.min()), float(plane.max())
        level = (plane - low) / (high - low) if high > low else np.zeros_like(plane)
        grey = np.rint(level * 255).astype(np.uint8)
        tiles.append(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS)[..., ::-1])
    return _tile(tiles, columns, size)


def filter_picture(effect: FilterEffect, crop: np.ndarray, size: int = 256) -> np.ndarray:
    """A crop, a filter and the filter's response to the crop, side by side.

    Values are blue below zero, white at zero and vermilion above; the kernel of a first layer is
    shown in the colours it looks for, grey at zero.

    Args:
        crop: (S, S, 3) uint8 RGB.
        size: side of each of the three pictures in pixels.

    Returns:
        (size, 3 * size + gaps, 3) uint8 RGB.
    """
    kernel = effect.kernel
    strongest = max(float(np.abs(kernel).max()), 1e-12)
    if len(kernel) == 3:
        level = np.rint(127.5 + 127.5 * kernel.transpose(1, 2, 0) / strongest)
        middle = level.astype(np.uint8)
    else:
        middle = _tile([_diverging(plane, strongest) for plane in kernel], None, 24, labels=False)
    response = _diverging(effect.response, max(float(np.abs(effect.response).max()), 1e-12))
    panels = [_fit(picture, size) for picture in (crop, middle, response)]
    for panel, caption in zip(panels, ("crop", "filter", "response"), strict=True):
        draw_text(panel, caption, (4, 4), max(9, size // 16))
    gap = np.full((size, 2 * _GAP, 3), DARK, np.uint8)
    return np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)


def heat_map_picture(maps: np.ndarray, crop: np.ndarray, size: int = 512) -> np.ndarray:
    """All points' heat maps over the crop, in the colours of their facial parts.

    Args:
        maps: (68, H, W) float32 from `heat_maps`.
        crop: (S, S, 3) uint8 RGB.
        size: side of the picture in pixels.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    peaks = maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-12)
    picture = _fit(crop, size, cv2.INTER_CUBIC).astype(np.float32) * 0.45
    for group in PART_GROUPS:
        level = peaks[group_indices(group)].max(axis=0)
        level = cv2.resize(level, (size, size), interpolation=cv2.INTER_LINEAR)[..., None]
        picture = picture * (1 - level) + np.array(GROUP_COLOURS[group], np.float32) * level
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _layers(network: nn.Module) -> dict[str, nn.Module]:
    """Readable name -> layer, in the order of definition."""
    return {_readable(path): module for path, module in _walk(network, "")}


def _walk(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """Layers within a module that is none itself, with their dotted paths."""
    for name, child in module.named_children():
        inner = f"{path}.{name}" if path else name
        if not any(isinstance(part, nn.Conv2d) for part in child.modules()):
            continue
        # What stands in a chain takes one tensor and gives one; a chain of chains is no layer.
        chained = isinstance(module, nn.Sequential) and not isinstance(child, nn.Sequential)
        if _is_unit(child) or chained:
            yield inner, child
        else:
            yield from _walk(child, inner)


def _is_unit(module: nn.Module) -> bool:
    """Whether a module is a single convolution, alone or with what directly follows it."""
    if isinstance(module, nn.Sequential):
        convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
        return len(convolutions) == 1 and module[0] is convolutions[0]
    return isinstance(module, nn.Conv2d)


def _readable(path: str) -> str:
    """ "stages.1.0" -> "stage 2 block 1", "points.narrow.0" -> "points narrow 1"."""
    words: list[str] = []
    for part in path.split("."):
        if not part.isdigit():
            words.append(part.replace("_", " "))
        elif words and not words[-1].isdigit():
            words[-1] = words[-1].removesuffix("s")
            words.append(str(int(part) + 1))
        else:
            words += ["block" if words else "layer", str(int(part) + 1)]
    return " ".join(words)


def _layer(network: nn.Module, name: str) -> nn.Module:
    layers = _layers(network)
    if name not in layers:
        raise ValueError(f"The network has no layer {name!r}; it has {', '.join(layers)}.")
    return layers[name]


def _convolution(network: nn.Module, name: str) -> nn.Conv2d:
    module = _layer(network, name)
    first = module[0] if isinstance(module, nn.Sequential) else module
    if not _is_unit(module) or not isinstance(first, nn.Conv2d):
        known = ", ".join(filter_layer_names(network))
        raise ValueError(f"Layer {name!r} is more than one convolution; single ones are {known}.")
    return first


def _run(network: nn.Module, batch: Tensor, module: nn.Module, name: str) -> np.ndarray:
    """(C, H, W) float32: what `module` puts out as the network reads the batch."""
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            seen.append(output.detach().float().clone())  # an activation may work in place

    handle = module.register_forward_hook(keep)
    try:
        network(batch)
    finally:
        handle.remove()
    if not seen or seen[-1].dim() != 4:
        raise ValueError(f"Layer {name!r} makes no feature maps of this input.")
    return seen[-1][0].cpu().numpy()


def _diverging(plane: np.ndarray, strongest: float) -> np.ndarray:
    """(H, W, 3) uint8 RGB: `_DIVERGING` from -strongest to strongest."""
    level = np.clip(plane / strongest, -1, 1)[..., None].astype(np.float32)
    side = np.where(level < 0, _DIVERGING[0], _DIVERGING[2])
    colour = _DIVERGING[1] + (side - _DIVERGING[1]) * np.abs(level)
    return np.rint(colour).astype(np.uint8)


def _fit(picture: np.ndarray, size: int, enlarge: int = cv2.INTER_NEAREST) -> np.ndarray:
    """The picture with its longer side at `size`, in the middle of a dark square."""
    height, width = picture.shape[:2]
    factor = size / max(height, width)
    shape = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else enlarge
    inner = cv2.resize(picture, shape, interpolation=way)
    result = np.full((size, size, 3), DARK, np.uint8)
    top, left = (size - shape[1]) // 2, (size - shape[0]) // 2
    result[top : top + shape[1], left : left + shape[0]] = inner
    return result


def _tile(
    tiles: list[np.ndarray], columns: int | None, size: int, labels: bool = True
) -> np.ndarray:
    """RGB pictures in rows on a dark ground, numbered from 0 where there is room."""
    columns = columns or ceil(sqrt(len(tiles)))
    rows = ceil(len(tiles) / columns)
    step = size + _GAP
    result = np.full((rows * step + _GAP, columns * step + _GAP, 3), DARK, np.uint8)
    type_size = max(9, round(size / 7))
    for index, tile in enumerate(tiles):
        square = _fit(np.ascontiguousarray(tile), size)
        if labels and max(text_size(str(len(tiles) - 1), type_size)) <= size // 3:
            draw_text(square, str(index), (2, 2), type_size)
        top, left = _GAP + index // columns * step, _GAP + index % columns * step
        result[top : top + size, left : left + size] = square
    return result
