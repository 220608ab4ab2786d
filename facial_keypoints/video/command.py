"""Clips on the command line: `python -m facial_keypoints CLIP.mp4…`."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from facial_keypoints.pipeline import FacialKeypoints
from facial_keypoints.video.annotate import Progress, annotate_clip
from facial_keypoints.video.codec import VIDEO_SUFFIXES, VideoError, inspect_clip
from facial_keypoints.video.recording import MAX_FACES, ClipRecord, clips_to_csv, clips_to_json
from keypoints_captions.batches import Outcome
from keypoints_captions.command_line import check_output_file, make_results_folder
from keypoints_captions.photo_run import Run
from keypoints_captions.results.output import write_result


def is_clip(path: Path) -> bool:
    """Whether the name is a video's; folders are searched for photos only."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def check_clip_usage(
    parser: argparse.ArgumentParser, options: argparse.Namespace, stems: dict[Path, Path]
) -> None:
    """Everything that can be known to go wrong, before the first clip."""
    if not all(map(is_clip, options.paths)):
        parser.error("photos and clips are written in different forms; give them in separate runs")
    if options.format not in ("json", "csv"):
        parser.error(f"--format {options.format} is for photos; for clips use json or csv")
    if options.crops is not None:
        parser.error("--crops is for photos; --overlay draws the faces of clips")
    if options.output is not None:
        check_output_file(parser, options.output, list(stems))
    if options.overlay is not None:
        make_results_folder(parser, "--overlay", options.overlay, stems, _overlay_path)


def run_clips(
    pipeline: FacialKeypoints, options: argparse.Namespace, stems: dict[Path, Path]
) -> int:
    """Works on the clips, writes the result, and returns the exit code.

    Args:
        options: format, output and overlay, checked by `check_clip_usage`.
        stems: clip -> where its overlay goes in the folder, without suffix.
    """
    run = Run()
    records: list[ClipRecord] = []
    try:
        for clip in stems:
            outcome = _outcome(pipeline, clip, options.overlay, stems[clip])
            records.append(_record(outcome))
            run.count(outcome)
            if outcome.error is not None:
                print(f"{clip}: {outcome.error}", file=sys.stderr)
    except KeyboardInterrupt:
        run.interrupted = True
        done = f"{run.finished} of {len(stems)} clips were finished"
        print(f"\nInterrupted: {done}.", file=sys.stderr)
    text = clips_to_json(records) if options.format == "json" else clips_to_csv(records)
    write_result(text, options.output)
    return run.exit_code


def _outcome(
    pipeline: FacialKeypoints, path: Path, overlay: Path | None, stem: Path
) -> Outcome[Path, ClipRecord]:
    try:
        clip = inspect_clip(path)
        output = None if overlay is None else _overlay_path(overlay, stem)
        with _bar(path) as bar:
            recording = annotate_clip(
                clip, output, pipeline, progress=lambda progress: _show(bar, progress)
            )
            bar.update(bar.total - bar.n)
        if recording.cut_ms is not None:
            told = f"expected at most {MAX_FACES} faces, those of each frame counted, and got more"
            end = f"the points end at {recording.cut_ms / 1000:.1f} s"
            print(f"{path}: {told}; {end}. Cut the clip in two.", file=sys.stderr)
    except VideoError as error:
        return Outcome(path, None, str(error))
    except Exception as error:  # whatever it is, the other clips go on
        sentence = f"This clip could not be processed ({type(error).__name__}: {error})."
        return Outcome(path, None, sentence)
    record = ClipRecord(file=str(path), width=clip.width, height=clip.height, recording=recording)
    return Outcome(path, record, None)


def _bar(path: Path) -> tqdm:
    # Where stderr is a log and no terminal, the bar would fill it
    interval = 0.1 if sys.stderr.isatty() else 10
    return tqdm(
        desc=path.name,
        total=100,
        file=sys.stderr,
        mininterval=interval,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| [{remaining} left{postfix}]",
    )


def _show(bar: tqdm, progress: Progress) -> None:
    bar.set_postfix_str(f"{progress.frames} frames", refresh=False)
    bar.update(100 * progress.share - bar.n)


def _record(outcome: Outcome[Path, ClipRecord]) -> ClipRecord:
    if outcome.result is not None:
        return outcome.result
    return ClipRecord(file=str(outcome.path), error=outcome.error or "")


def _overlay_path(folder: Path, stem: Path) -> Path:
    return folder / f"{stem}.mp4"
