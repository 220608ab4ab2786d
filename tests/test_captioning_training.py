"""Each training stage on eight generated photos: it learns and resumes."""

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from captioning.captioner import load_parts
from captioning.engine.preprocessing import Preprocessing
from captioning.ensemble import DecoderEnsemble
from captioning.vocabulary import END, PAD, START
from tests.caption_world import World, make_captioner, make_world, tiny_options
from train.captioning.__main__ import main, parse
from train.captioning.augment import augmented_square
from train.captioning.data import CaptionRows, captioned, load_set, photo_square
from train.captioning.features import Features
from train.captioning.objectives import CachedGrids, SelfCritical
from train.captioning.stages import STAGES
from train.engine.batches import epoch_batches
from train.engine.checkpoints import load_checkpoint
from train.engine.loop import Loop
from train.engine.options import UsageError, flat

pytestmark = pytest.mark.usefixtures("shallow_encoders")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The photos, and a run with all stages done."""
    torch.set_num_threads(1)
    made = make_world(tmp_path_factory.mktemp("world"))
    main(["all", *tiny_options(made, "run")])
    return made


def scores(world: World, run: str, stage: str) -> dict[str, float]:
    best = load_checkpoint(world.folder / run / stage / "best.pt", CPU)
    assert best is not None
    return best["scores"]


#: The stages that `tiny_options` does not leave out.
TINY_STAGES = [name for name in STAGES if name not in ("tagging", "votes")]


def test_every_stage_overfits_eight_photos(world: World) -> None:
    for stage in TINY_STAGES:
        assert scores(world, "run", stage)["cider"] > 600, stage


def test_whole_stage_moves_every_layer_and_upper_stage_does_not(world: World) -> None:
    def encoder(stage: str) -> dict[str, torch.Tensor]:
        best = load_checkpoint(world.folder / "run" / stage / "best.pt", CPU)
        assert best is not None
        return best["encoder"]

    tuned, whole = encoder("tune"), encoder("whole")
    assert all((tuned[name] != whole[name]).any() for name in tuned if name.endswith("weight"))


def test_finished_stages_are_not_run_again(world: World) -> None:
    marks = [(world.folder / "run" / stage / "last.pt").stat().st_mtime_ns for stage in TINY_STAGES]
    main(["all", *tiny_options(world, "run")])
    again = [(world.folder / "run" / stage / "last.pt").stat().st_mtime_ns for stage in TINY_STAGES]
    assert again == marks


def test_an_interrupted_stage_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = ["--xe-epochs", "4", "--checkpoint-minutes", "0", "--dropout", "0.5"]
    options = [*tiny_options(world, "cut"), *changed]
    update, seen = Loop._update, []

    def break_down(loop: Loop, batch):
        if loop.step == 5:
            raise KeyboardInterrupt
        return update(loop, batch)

    def watch(loop: Loop, batch):
        seen.append((loop.step, tuple(batch.numbers)))
        return update(loop, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_update", break_down)
        with pytest.raises(KeyboardInterrupt):
            main(["xe", *options])
    monkeypatch.setattr(Loop, "_update", watch)
    main(["xe", *options])
    assert [step for step, _ in seen] == [5, 6, 7]
    order = [number for epoch in range(4) for number in epoch_batches(8, 4, epoch, 0)]
    assert [list(numbers) for _, numbers in seen] == order[5:]
    main(["xe", *tiny_options(world, "uncut"), *changed])
    cut, uncut = (
        load_checkpoint(world.folder / run / "xe" / "last.pt") for run in ("cut", "uncut")
    )
    assert cut is not None and uncut is not None
    for name, value in uncut["model"].items():
        torch.testing.assert_close(cut["model"][name], value, msg=name)


def test_a_stage_ends_with_its_minutes(world: World) -> None:
    main(["xe", *tiny_options(world, "brief"), "--xe-epochs", "1000", "--xe-minutes", "0.02"])
    last = load_checkpoint(world.folder / "brief" / "xe" / "last.pt", CPU)
    assert last is not None and last["done"] and last["step"] < 2000


def test_captions_without_photos_are_learnt_beside_the_others(world: World) -> None:
    texts = world.folder / "texts.json"
    texts.write_text(json.dumps({str(n): ["a grey box in the middle of a wall"] for n in range(9)}))
    options = [*tiny_options(world, "text"), "--text", str(texts), "--min-count", "3"]
    options += ["--xe-text", "1", "--text-min-count", "9"]
    main(["xe", *options])
    words = json.loads((world.folder / "text" / "vocabulary.json").read_text())
    assert "wall" in words and "of" not in words  # frequent in the text, but on no photo
    assert scores(world, "text", "xe")["cider"] > 400
    with pytest.raises(UsageError, match="need --text FILE"):
        main(["xe", *tiny_options(world, "no text"), "--xe-text", "4"])


def test_reward_training_with_every_part(world: World) -> None:
    options = [*tiny_options(world, "run"), "--checkpoints", str(world.folder / "parts")]
    options += ["--start-from", str(world.folder / "run"), "--scst-neighbours", "2"]
    for part in ("contrast", "words", "gender", "cross-entropy"):
        options += [f"--scst-{part}", "0.5"]
    main(["scst", *options])
    assert scores(world, "parts", "scst")["cider"] > 400


def test_decoder_without_attention_trains(world: World) -> None:
    main(["xe", *tiny_options(world, "plain"), "--no-attention", "--xe-epochs", "10"])
    assert scores(world, "plain", "xe")["cider"] > 100


def test_options_keep_their_kind_under_a_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"xe_minutes": 8, "train": ["one.json"]}')
    config, _ = parse(["xe", "--config", str(recipe), "--xe-minutes", "4.5"])
    assert (config.stages["xe"].minutes, config.train) == (4.5, ("one.json",))


def test_an_export_takes_the_options_of_the_run(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["export", "--checkpoints", str(world.folder / "run")]
    trained, _ = parse(["all", *tiny_options(world, "run")])
    exported, parsed = parse([*given, "--weights", str(tmp_path)])
    assert exported == trained and parsed.weights == tmp_path
    (tmp_path / "wrong.json").write_text('{"xe_epoch": 1}')
    with pytest.raises(UsageError, match="no option is called xe_epoch"):
        parse(["all", "--config", str(tmp_path / "wrong.json")])
    monkeypatch.setattr("sys.argv", ["train.captioning", *given, "--embed-size", "8"])
    assert parse(None)[0].embed_size == 8


def test_an_exported_decoder_learns_more_words(world: World) -> None:
    weights, texts = make_captioner(world.folder), world.folder / "more texts.json"
    texts.write_text(json.dumps({"1": ["a wall on a wall"]}))
    options = [*tiny_options(world, "more words"), "--decoder-from", str(weights)]
    options += ["--text", str(texts), "--xe-epochs", "1", "--embed-size", "32", "--heads", "2"]
    main(["xe", *options])
    main(["export", *options, "--weights", str(world.folder / "more words")])
    before, after = load_parts(weights), load_parts(world.folder / "more words")
    count = len(before.vocabulary)
    assert after.vocabulary.words[:count] == before.vocabulary.words
    assert {"wall", "stripe"} <= set(after.vocabulary.words[count:])
    assert len(after.decoder.state_dict()["output_bias"]) == len(after.vocabulary)


def test_a_new_decoder_on_a_trained_encoder(world: World) -> None:
    options = [*tiny_options(world, "new"), "--start-from", str(world.folder / "run")]
    options += ["--no-attention", "--fresh-decoder", "--xe-epochs", "1"]
    main(["xe", *options])
    main(["export", *options, "--weights", str(world.folder / "new")])
    whole = load_checkpoint(world.folder / "run" / "whole" / "best.pt", CPU)
    assert whole is not None
    exported = load_parts(world.folder / "new")
    assert not exported.decoder.config.attention
    for name, value in whole["encoder"].items():
        torch.testing.assert_close(
            exported.encoder.state_dict()[name], value.half().float(), msg=name
        )


def test_exported_weights_are_trained_on(world: World) -> None:
    weights = world.folder / "exported"
    main(["export", *tiny_options(world, "run"), "--weights", str(weights)])
    options = [*tiny_options(world, "further"), "--start-from", str(weights)]
    options += ["--min-count", "100", "--tune-rate", "0", "--tune-encoder-rate", "1e-9"]
    main(["tune", *options])
    main(["export", *options, "--weights", str(world.folder / "further")])
    before, after = load_parts(weights), load_parts(world.folder / "further")
    assert after.vocabulary.words == before.vocabulary.words  # though no word is so frequent
    for name, value in before.decoder.state_dict().items():
        torch.testing.assert_close(after.decoder.state_dict()[name], value, msg=name)
    assert scores(world, "further", "tune")["cider"] > 600


def test_the_cache_holds_views_of_what_is_learnt(world: World) -> None:
    options = [*tiny_options(world, "views"), "--features", str(world.folder / "cache")]
    main(["features", *options, "--feature-views", "3"])
    (folder,) = (world.folder / "cache").iterdir()
    photos = load_set(world.annotations)
    features = Features(folder, 3)
    assert len(features.grids) == 4 * len(photos)  # three to learn from, one for validation
    plain = CachedGrids(features).load(photos, None)
    assert torch.equal(plain, CachedGrids(Features(folder, 1)).load(photos, random.Random(0)))
    drawn = torch.stack([CachedGrids(features).load(photos, random.Random(i)) for i in range(9)])
    kinds = [{tuple(v.flatten().tolist()) for v in views} for views in drawn.unbind(1)]
    # Two crops of such small pictures may be the same, but not of all of them.
    assert max(len(views) for views in kinds) == 3
    for views, as_it_is in zip(kinds, plain, strict=True):
        assert len(views) <= 3 and tuple(as_it_is.flatten().tolist()) in views


def test_the_mean_of_stages_is_exported(world: World) -> None:
    options, folder = tiny_options(world, "run"), world.folder / "mean"
    main(["export", *options, "--weights", str(folder), "--average", "xe=0.25", "scst=0.75"])
    facts = json.loads((folder / "captioning_decoder.json").read_text())
    assert facts["training"]["average"] == {"xe": 0.25, "scst": 0.75}
    states = [
        load_checkpoint(world.folder / "run" / stage / "best.pt")["decoder"]  # type: ignore[index]
        for stage in ("xe", "scst")
    ]
    for name, value in load_parts(folder).decoder.state_dict().items():
        mean = 0.25 * states[0][name] + 0.75 * states[1][name]
        torch.testing.assert_close(value, mean.half().float(), msg=name)
    main(["export", *options, "--weights", str(folder), "--average", "scst/last=1"])
    last = load_checkpoint(world.folder / "run" / "scst" / "last.pt")
    assert last is not None
    for name, value in load_parts(folder).decoder.state_dict().items():
        torch.testing.assert_close(value, last["model"][f"decoder.{name}"].half().float(), msg=name)
    with pytest.raises(UsageError, match="no stage is called nothing"):
        main(["export", *options, "--weights", str(folder), "--average", "nothing=1"])


def test_only_what_was_trained_is_exported(world: World) -> None:
    weights = world.folder / "nothing"
    export = ["export", *tiny_options(world, "not yet trained"), "--weights", str(weights)]
    with pytest.raises(UsageError, match="not yet trained holds no trained decoder"):
        main(export)
    export = ["export", *tiny_options(world, "xe only"), "--weights", str(weights)]
    main(["xe", *tiny_options(world, "xe only"), "--xe-epochs", "1"])
    for more in (["--after", "scst"], ["--average", "scst=0.5", "xe=0.5"]):
        with pytest.raises(UsageError, match=r"xe only holds no scst/best\.pt: train this"):
            main([*export, *more])
    assert not weights.exists()


def test_a_folder_to_start_from_holds_something(world: World) -> None:
    gone = str(world.folder / "gone")
    with pytest.raises(UsageError, match=r"gone \(--start-from\), got neither"):
        main(["xe", *tiny_options(world, "from gone"), "--start-from", gone])
    with pytest.raises(UsageError, match=r"gone \(--start-from\), got neither"):
        main(["features", *tiny_options(world, "from gone"), "--start-from", gone])


@pytest.mark.parametrize(
    ("stage", "options", "told"),
    [
        ("scst", "--scst-samples 1", "Expected 2 samples a photo or more, .* got 1"),
        ("scst", "--scst-contrast 1 --scst-neighbours 8", "1 to 7 neighbours .* 8 photos, got 8"),
        ("scst", "--scst-contrast 1 --scst-encoder-rate 1e-5", "an encoder rate of 0"),
        ("scst", "--text TEXT --scst-text 1", "a stage of cross-entropy"),
        ("xe", "--text TEXT --xe-text 3", "as many photos' captions, got 2"),
        ("votes", "--votes-epochs 1", "captions of 15 of the 8 photos or more use, found none"),
        ("xe", "--validation PHOTOS PHOTOS", "whose files have different names"),
        ("xe", "--xe-batch 0", "a batch of at least 1"),
    ],
)
def test_options_that_contradict_are_refused(
    stage: str, options: str, told: str, world: World
) -> None:
    text = world.folder / "text.json"
    text.write_text(json.dumps({"one": ["a red box"], "two": ["a blue box"]}))
    given = options.replace("TEXT", str(text)).replace("PHOTOS", world.annotations).split()
    with pytest.raises(UsageError, match=told):
        main([stage, *tiny_options(world, "refused"), *given])


def test_the_same_weights_with_other_strides_have_a_cache_of_their_own(world: World) -> None:
    run = [*tiny_options(world, "strides"), "--features", str(world.folder / "by strides")]
    for strides in ("v1", "v1.5"):
        main(["features", *run, "--encoder-strides", strides])
    grids = [np.load(file) for file in (world.folder / "by strides").glob("*/grids.npy")]
    assert len(grids) == 2 and (grids[0] != grids[1]).any()


@pytest.mark.parametrize("fault", ["caption", "file_name", "null", "list", "text"])
def test_annotations_of_another_form_are_refused(fault: str, world: World, tmp_path: Path) -> None:
    facts = json.loads(Path(world.annotations).read_text())
    for one in facts["annotations"] + facts["images"]:
        one.pop(fault, None)
    if fault == "null":
        facts["annotations"][0]["caption"] = None
    text = {"list": "[]", "text": "{"}.get(fault, json.dumps(facts))
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UsageError, match=r"the format COCO's .*a\.json, got something else"):
        load_set(str(tmp_path / "a.json"))


def test_photos_that_cannot_be_learnt_are_left_out_or_named(world: World, tmp_path: Path) -> None:
    images = [
        {"filename": f"photo{n}.png", "split": "train", "sentences": [{"raw": "a box"}] * (n % 2)}
        for n in range(4)
    ]
    karpathy = tmp_path / "karpathy.json"
    karpathy.write_text(json.dumps({"images": images}))
    photos = load_set(f"{karpathy},{world.folder},train")
    assert [photo.path.name for photo in photos] == ["photo1.png", "photo3.png"]
    with pytest.raises(UsageError, match="no photo with a caption in trian"):
        load_set(f"{karpathy},{world.folder},trian")
    with pytest.raises(UsageError, match=r"FILE,FOLDER,SPLIT reads Karpathy's"):
        load_set(f"{karpathy},{world.folder}")
    preprocessing = Preprocessing(size=64)
    lost = captioned(tmp_path / "lost.png", ["a box"])
    for read in (photo_square, lambda *one: augmented_square(*one, random.Random(0))):
        with pytest.raises(UsageError, match=r"lost\.png: There is no such file"):
            read(lost, preprocessing)


def test_decoders_are_exported_together(world: World) -> None:
    options, one, both = tiny_options(world, "run"), world.folder / "one", world.folder / "both"
    main(["export", *options, "--after", "refine", "--weights", str(one)])
    main(["export", *options, "--weights", str(both), "--beside", str(one)])
    decoder = load_parts(both).decoder
    assert isinstance(decoder, DecoderEnsemble)
    for name, value in load_parts(one).decoder.state_dict().items():
        assert torch.equal(decoder.decoders[1].state_dict()[name], value), name
    options = tiny_options(world, "further from both")
    main(["xe", *options, "--start-from", str(both), "--xe-epochs", "1"])  # of the first one
    main(["export", *tiny_options(world, "run"), "--after", "tune", "--weights", str(one)])
    with pytest.raises(UsageError, match="another encoder"):
        main(["export", *tiny_options(world, "run"), "--weights", str(both), "--beside", str(one)])


def test_rows_are_captions_between_start_and_end(world: World) -> None:
    from captioning.vocabulary import Vocabulary

    photos = load_set(world.annotations)
    counts = Counter(word for photo in photos for words in photo.words for word in words)
    vocabulary = Vocabulary.build(counts)
    drawn = CaptionRows(photos, vocabulary, 3, 6).draw([0, 5], random.Random(0))
    assert drawn.shape == (2, 3, 8) or drawn.shape == (2, 3, 7)
    assert (drawn[:, :2, 0] == START).all() and (drawn[:, 2] == PAD).all()
    texts = {" ".join(vocabulary.decode(row[1:].tolist())) for row in drawn[0, :2]}
    assert texts == {"a red box in the middle", "a red box on a white"}  # cut after six words
    assert sum((row == END).sum() for row in drawn[0]) == 1


def test_photos_that_say_left_or_right_are_never_mirrored(world: World) -> None:
    import dataclasses
    import random

    from captioning.engine.preprocessing import Preprocessing

    photo = load_set(world.annotations)[1]  # a stripe left of the middle
    left = dataclasses.replace(photo, words=(("a", "stripe", "to", "the", "left"),))
    assert photo.may_flip and not left.may_flip

    def sides(chosen) -> set[bool]:
        found = set()
        for seed in range(20):
            square = augmented_square(chosen, Preprocessing(64), random.Random(seed))
            dark = np.flatnonzero(square[:, :, 1].mean(0) < 128)
            found.add(bool(dark.mean() < 31.5))
        return found

    assert sides(photo) == {True, False} and sides(left) == {True}


def test_self_critical_loss_prefers_the_better_sample() -> None:
    """Two samples, rewards 1 and 0: the gradient raises the first's probability only."""
    logits = torch.zeros(2, 6, requires_grad=True)

    class Fixed(SelfCritical):
        def __init__(self) -> None:
            self.samples = 2

        def _sample(self, model, photos):
            return torch.tensor([[[4], [5]]])

        def rewards(self, photos, captions):
            return [[1.0, 0.0]]

        cross_entropy = 0.0

    from train.captioning.objectives import Batch

    batch = Batch(torch.zeros(1), [0], torch.zeros(1, 1, 1, dtype=torch.long))
    loss, figures = Fixed().loss(lambda photos, words, where: logits, batch)  # type: ignore[arg-type]
    loss.backward()
    assert logits.grad is not None and figures["reward"] == 0.5
    assert logits.grad[0, 4] < 0 < logits.grad[1, 5]


@pytest.mark.parametrize(
    "recipe", sorted(Path("train/recipes").glob("*.json")), ids=lambda p: p.stem
)
def test_every_recipe_is_read(recipe: Path) -> None:
    options, _ = parse(["all", "--config", str(recipe)])
    known = flat(options)
    for name, value in json.loads(recipe.read_text(encoding="utf-8")).items():
        assert known[name] == (tuple(value) if isinstance(value, list) else value), name
