"""Command line of all evaluations: `python -m train.evaluate keypoints|detection|…`."""

import argparse
import importlib
import sys

from train.command_line import run

SUBJECTS = {
    "keypoints": "train.evaluate.keypoints",
    "groups": "train.evaluate.keypoints_groups",
    "detection": "train.evaluate.detection",
    "captioning": "train.evaluate.captioning",
    "app": "train.benchmark.app",
    "speed": "train.benchmark.speed",
    "commands": "train.benchmark.commands",
    "live": "train.benchmark.live",
    "device": "train.benchmark.device.page",
    "device-pipeline": "train.benchmark.device.pipeline",
    "serving": "train.benchmark.serving",
    "sharing": "train.benchmark.sharing",
    "readme": "train.evaluate.readme",
    "engines": "train.benchmark.engines",
    "agreement": "train.evaluate.agreement",
}


def main() -> None:
    """Hands over to the subject's module, which alone is imported."""
    parser = argparse.ArgumentParser(prog="python -m train.evaluate")
    subjects = parser.add_subparsers(dest="subject", required=True)
    for subject, module in SUBJECTS.items():
        options = subjects.add_parser(subject, description=f"See {module}.")
        if subject in sys.argv[1:2]:
            importlib.import_module(module).add_arguments(options)
    parsed = parser.parse_args()
    importlib.import_module(SUBJECTS[parsed.subject]).run(parsed)


if __name__ == "__main__":
    run(main)
