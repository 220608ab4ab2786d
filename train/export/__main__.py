"""Export of the trained networks as ONNX files: `python -m train.export`.

    python -m train.export                                   (after every change of weights)
    python -m train.export facial_keypoints face_detector --weights FOLDER

NAME.onnx reads bytes and gives named results: preprocessing and decoding are in the graph. Weights
are stored as float16 and computed with as float32. The two CNNs of faces are files that need no
other; the captioner's graphs read their numbers from the safetensors files beside them. Size,
SHA-256, inputs and outputs stand in NAME.json under "onnx"; weights written anew lose that entry,
and no engine then takes the old graph for theirs. constants.json, beside the two CNNs of faces, is
what the pipeline in the browser has to know of both (`facial_keypoints.constants`).
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnx import ModelProto

from captioning.captioner import DECODER_NAME, ENCODER_NAME, load_parts
from captioning.engine.whole import DecoderStart, DecoderStep, WholeEncoder, places_of
from facial_keypoints.constants import CONSTANTS, write_constants
from facial_keypoints.detection import cnn
from facial_keypoints.detection.whole import WholeDetectorNet
from facial_keypoints.landmarks.whole import WholeKeypointNet
from facial_keypoints.pipeline import DETECTOR_NAME, NAME, load_network
from keypoints_captions.files import replacing
from keypoints_captions.weights import file_facts, set_facts
from train.command_line import program, run
from train.export.calibration import calibration_canvases, calibration_crops, convolution_ranges
from train.export.graphs import OPSET, to_graph
from train.export.picture_bytes import centre
from train.export.quantised import quantise
from train.export.weights import StoredTensors, halve


def keypoint_networks(folder: Path) -> dict[str, Any]:
    return {NAME: WholeKeypointNet(load_network(folder / NAME))}


def detector_networks(folder: Path) -> dict[str, Any]:
    return {DETECTOR_NAME: WholeDetectorNet(cnn.load_network(folder / DETECTOR_NAME))}


def encoder_networks(folder: Path) -> dict[str, Any]:
    parts = load_parts(folder)
    return {ENCODER_NAME: WholeEncoder(parts.encoder, parts.preprocessing)}


def decoder_networks(folder: Path) -> dict[str, Any]:
    parts = load_parts(folder)
    places = places_of(parts.preprocessing)
    return {
        f"{DECODER_NAME}_start": DecoderStart(parts.decoder, places),
        f"{DECODER_NAME}_step": DecoderStep(parts.decoder, places),
    }


#: Name of a pair of files -> its networks by the names of their graphs.
NETWORKS: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    NAME: keypoint_networks,
    DETECTOR_NAME: detector_networks,
    ENCODER_NAME: encoder_networks,
    DECODER_NAME: decoder_networks,
}
#: Those whose graphs point into the safetensors file: large, and not for browsers.
POINTING = {ENCODER_NAME, DECODER_NAME}


#: The keypoint CNN in whole numbers.
QUANTISED = f"{NAME}_int8"
#: How the names of the weights of convolutions begin that OpenVINO computes on bytes. The others
#: gain little, or lose more: what places points and what places boxes.
IN_BYTES = {
    NAME: (
        "network.stem.",
        "network.stages.",
        *(f"network.points.{part}." for part in ("narrow", "lateral", "smooth")),
    ),
    DETECTOR_NAME: ("network.stem.", "network.stages."),
}


def export(name: str, folder: Path) -> None:
    """Writes the graphs of one pair of files, and what is to be known of them into its JSON.

    Raises:
        WeightsError: the pair is missing or damaged.
    """
    networks = NETWORKS[name](folder)
    held = StoredTensors(folder / f"{name}.safetensors") if name in POINTING else None
    facts = {}
    for graph_name, module in networks.items():
        graph = to_graph(module)
        ranges = {}
        if graph_name == NAME:
            centre(graph.graph)
            crops = calibration_crops(folder)
            facts[QUANTISED] = _write(quantise(graph, crops), folder / f"{QUANTISED}.onnx", module)
            ranges = convolution_ranges(graph, IN_BYTES[NAME], crops)
        elif graph_name == DETECTOR_NAME:
            canvases = calibration_canvases()
            ranges = convolution_ranges(graph, IN_BYTES[DETECTOR_NAME], canvases)
        halve(graph, dict(module.named_parameters()), held)
        facts[graph_name] = _write(graph, folder / f"{graph_name}.onnx", module)
        if ranges:
            facts[graph_name]["ranges"] = ranges
    set_facts(folder / name, "onnx", facts)


def _write(graph: ModelProto, file: Path, module: Any) -> dict[str, Any]:
    """What the JSON tells of the graph that was written to the file."""
    with replacing(file) as partial:
        partial.write_bytes(graph.SerializeToString(deterministic=True))
    print(f"wrote {file} ({file.stat().st_size / 1e6:.2f} MB)")
    return file_facts(file) | {
        "opset": OPSET,
        "inputs": {key: port.to_dict() for key, port in module.inputs.items()},
        "outputs": {key: port.to_dict() for key, port in module.outputs.items()},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Exports the named networks; `arguments` defaults to the command line's."""
    parser = program("export", __doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NETWORKS)}; all without"
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="the folder")
    options: argparse.Namespace = parser.parse_args(arguments)
    unknown = set(options.names) - NETWORKS.keys()
    if unknown:
        parser.error(f"expected names of {', '.join(NETWORKS)}; got {', '.join(sorted(unknown))}")
    names = options.names or list(NETWORKS)
    for name in names:
        export(name, options.weights)
    pair = {NAME, DETECTOR_NAME}
    if pair & set(names) and all((options.weights / f"{name}.json").exists() for name in pair):
        write_constants(options.weights / CONSTANTS, options.weights)


if __name__ == "__main__":
    run(main)
