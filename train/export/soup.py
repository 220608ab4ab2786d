"""The mean of the weights of several exported models: `python -m train.export.soup`.

    python -m train.export.soup captioning_encoder captioning_decoder \
        --of weights runs/other/weights --shares 0.5 0.5 --weights runs/soup

Networks that were trained apart from the same start lie in one basin often enough, and then their
mean is better than each of them ("model soups", Wortsman et al., ICML 2022). What was fitted to the
answers of one model is left out of the JSON, and the captioner's votes with it, since each model
numbers its words in its own way: export the graphs and fit them again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keypoints_captions.weights import load_model, save_model
from train.command_line import program, run
from train.engine.checkpoints import mean_state
from train.engine.options import UsageError

#: Entries of a JSON that hold for any weights of the same architecture.
KEPT = ("model", "config", "architecture", "preprocessing", "decoders", "vocabulary")
_VOTES = "votes."


def soup(name: str, folders: Sequence[Path], shares: Sequence[float], output: Path) -> None:
    """Writes the weighted mean of the pair NAME of each folder.

    shares: of the folders, one each; they are divided by their sum.

    Raises:
        UsageError: the models differ in more than their weights.
        WeightsError: a pair is missing or damaged.
    """
    models = [load_model(folder / name) for folder in folders]
    facts = [{key: m.metadata[key] for key in KEPT if key in m.metadata} for m in models]
    for folder, other in zip(folders, facts, strict=True):
        if different := [key for key in facts[0] if other.get(key) != facts[0][key]]:
            raise UsageError(
                f"{folder / name}: its {', '.join(different)} differ from those of "
                f"{folders[0] / name}, so their weights have no mean"
            )
    states = [
        {key: value for key, value in m.state_dict.items() if not key.startswith(_VOTES)}
        for m in models
    ]
    training: dict[str, Any] = {
        "mean of": [
            {"share": share, "training": m.metadata.get("training", {})}
            for m, share in zip(models, shares, strict=True)
        ]
    }
    mean = mean_state(states, [share / sum(shares) for share in shares])
    save_model(output / name, mean, facts[0] | {"training": training}, half=True)
    print(f"wrote {output / name}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the mean of the named pairs; `arguments` defaults to the command line's."""
    parser = program("export.soup", __doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help="of pairs of files")
    parser.add_argument("--of", type=Path, nargs="+", required=True, help="folders of weights")
    parser.add_argument("--shares", type=float, nargs="+", help="of each; alike without")
    parser.add_argument("--weights", type=Path, required=True, help="the folder to write to")
    options: argparse.Namespace = parser.parse_args(arguments)
    shares = options.shares or [1.0] * len(options.of)
    if len(shares) != len(options.of) or min(shares) <= 0:
        parser.error(
            f"expected a share above 0 for each of {len(options.of)} folders; got {shares}"
        )
    for name in options.names:
        soup(name, options.of, shares, options.weights)


if __name__ == "__main__":
    run(main)
