"""A network's convolutions computed on bytes, where the processor is made for it.

The graph stays the one in float numbers. What each convolution reads, and its weights, are rounded
to 256 and 255 steps; OpenVINO then multiplies bytes. The ranges of the steps were seen on example
pictures when the graph was exported (`train.export.calibration`), those of the weights are theirs,
one for each channel made (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018).
"""

import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13

#: Of a convolution's name: the least and the greatest number that it reads.
Ranges = Mapping[str, tuple[float, float]]

_PROCESSOR = Path("/proc/cpuinfo")
_INSTRUCTIONS = {"avx512_vnni", "avx_vnni", "amx_int8"}
_STEPS, _WEIGHT_STEPS = 256, 255  # the weights' are as many on both sides of zero


def has_byte_products(capabilities: list[str], processor: Path = _PROCESSOR) -> bool:
    """Whether the processor has instructions that multiply bytes and add the products exactly:
    without them that gains little, and sums may overflow.

    capabilities: what OpenVINO says of the CPU. They do not tell; but the x86 processors that have
        bfloat16 have these, where no file says more.
    processor: a file that lists the processor's instructions, as Linux has it.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        return not _INSTRUCTIONS.isdisjoint(processor.read_text().split())
    except OSError:
        return "BF16" in capabilities


def compute_in_bytes(model: openvino.Model, ranges: Ranges) -> None:
    """Lets the convolutions named compute on bytes; in place. What else reads the same numbers, a
    shortcut for instance, reads the bytes too, so that they are written once."""
    for node in model.get_ordered_ops():
        name = node.get_friendly_name().split("/")[0]
        if node.get_type_name() == "Convolution" and name in ranges:
            read, weights = node.input_values()
            if read.get_node().get_type_name() != "FakeQuantize":
                low, high = (np.float32(end) for end in ranges[name])
                _round(read, low, high, _STEPS)
            greatest = _greatest(weights.get_node())
            _round(weights, -greatest, greatest, _WEIGHT_STEPS)
    model.validate_nodes_and_infer_types()


def _round(
    value: openvino.Output, low: np.ndarray | np.float32, high: np.ndarray | np.float32, steps: int
) -> None:
    """Rounds a value to so many steps for all that reads it."""
    readers = value.get_target_inputs()
    ends = opset13.constant(low), opset13.constant(high)
    rounded = opset13.fake_quantize(value, *ends, *ends, steps)
    for reader in readers:
        reader.replace_source_output(rounded.output(0))


def _greatest(weights: openvino.Node) -> np.ndarray:
    """(O, 1, 1, 1) float32, the greatest size of a weight of each channel made, of a constant
    (O, I, h, w), which may be stored in float16."""
    if weights.get_type_name() == "Convert":
        weights = weights.input_value(0).get_node()
    greatest = np.abs(weights.data.astype(np.float32)).max(axis=(1, 2, 3), keepdims=True)
    return np.maximum(greatest, np.finfo(np.float16).tiny)
