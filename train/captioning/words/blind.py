"""Blind comparison of two captioners by a person.

    python -m train.captioning.words.blind draw  --photos DATA/coco_val.json --count 100 \
        --old OLD_WEIGHTS --new NEW_WEIGHTS --output out/blind
    python -m train.captioning.words.blind count --output out/blind

`draw` chooses photos by chance, writes sheets of them with the captions A and B, in an order drawn
for each photo, and the key aside; photos of which both say the same are left out and counted. A
person writes one line for each photo into verdicts.txt, its number and A, B or = (as "17 B");
`count` opens the key. OLD and NEW are folders of weights, or JSON files of `python -m captioning`.
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from captioning.captioner import Captioner
from captioning.engine.preprocessing import Preprocessing
from captioning.options import SearchOptions
from train.captioning.data import CaptionedPhoto, load_set, photo_square
from train.captioning.sheet import Cell, write_sheet
from train.captioning.words.inference import look, say
from train.command_line import program, run
from train.engine.options import UsageError

_ON_A_SHEET = 20
_KEY, _VERDICTS = "key.json", "verdicts.txt"


def captions_of(source: Path, photos: Sequence[CaptionedPhoto]) -> list[str]:
    """The best caption of each photo: by the weights in a folder, or as a JSON file has them.

    Raises UsageError where the file lacks one of the photos.
    """
    if source.is_dir():
        captioner = Captioner.load(source)
        return [
            caption.text
            for caption in say(captioner, look(captioner, photos)[0], SearchOptions())[0]
        ]
    records = json.loads(source.read_text(encoding="utf-8"))
    texts = {Path(r["file"]).name: r["captions"][0]["text"] for r in records if "captions" in r}
    missing = [photo.path.name for photo in photos if photo.path.name not in texts]
    if missing:
        raise UsageError(f"{source}: has no caption of {missing[0]} and {len(missing) - 1} others")
    return [texts[photo.path.name] for photo in photos]


def draw(
    photos: Sequence[CaptionedPhoto],
    old: Sequence[str],
    new: Sequence[str],
    folder: Path,
    seed: int,
) -> None:
    """Writes sheets, the key, and an empty file for the verdicts."""
    rng = random.Random(seed)
    key: dict[str, str] = {}
    cells, same = [], 0
    for photo, one, other in zip(photos, old, new, strict=True):
        if one == other:
            same += 1
            continue
        first = rng.choice(("old", "new"))
        number = str(len(key) + 1)
        key[number] = first
        a, b = (one, other) if first == "old" else (other, one)
        square = photo_square(photo, Preprocessing())
        cells.append(Cell(square, (f"{number}.", f"A: {a}", f"B: {b}")))
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(cells), _ON_A_SHEET):
        path = folder / f"sheet{start // _ON_A_SHEET + 1}.png"
        write_sheet(cells[start : start + _ON_A_SHEET], 5, path)
    facts = {"captions A": key, "same": same}
    (folder / _KEY).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    (folder / _VERDICTS).write_text("".join(f"{number} \n" for number in key), encoding="utf-8")
    print(f"{len(key)} photos to judge in {folder}, {same} with the same caption")


def count(folder: Path) -> Counter[str]:
    """Counts of the photos on which the new, the old or neither caption was better.

    Raises UsageError where a verdict is missing or none of A, B and =.
    """
    facts = json.loads((folder / _KEY).read_text(encoding="utf-8"))
    lines = (folder / _VERDICTS).read_text(encoding="utf-8").splitlines()
    verdicts = dict(line.split(maxsplit=1) for line in lines if len(line.split()) > 1)
    found: Counter[str] = Counter()
    for number, first in facts["captions A"].items():
        verdict = verdicts.get(number, "").strip().upper()
        if verdict not in ("A", "B", "="):
            raise UsageError(
                f"{folder / _VERDICTS}: photo {number} wants A, B or =, not {verdict!r}"
            )
        second = "new" if first == "old" else "old"
        found["neither" if verdict == "=" else first if verdict == "A" else second] += 1
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws the sheets, or counts the verdicts."""
    parser = program("captioning.words.blind", __doc__)
    parser.add_argument("command", choices=["draw", "count"])
    parser.add_argument("--photos", help="the set, as training takes it")
    parser.add_argument("--count", type=int, default=100, help="photos drawn")
    parser.add_argument("--old", type=Path, help="the one captioner")
    parser.add_argument("--new", type=Path, help="the other")
    parser.add_argument("--output", type=Path, default=Path("out/blind"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.command == "count":
        found = count(options.output)
        told = (f"{name} {found[name]}" for name in ("new", "old", "neither"))
        print(f"better: {', '.join(told)}")
        return
    if not (options.photos and options.old and options.new):
        parser.error("draw wants --photos, --old and --new")
    photos = load_set(options.photos)
    chosen = random.Random(options.seed).sample(photos, min(options.count, len(photos)))
    old, new = captions_of(options.old, chosen), captions_of(options.new, chosen)
    draw(chosen, old, new, options.output, options.seed)


if __name__ == "__main__":
    run(main)
