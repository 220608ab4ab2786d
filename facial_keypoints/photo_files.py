"""Files that are written for each photo: its faces drawn, cut out, or as .pts."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from facial_keypoints.aligned import LARGEST, MARGIN, SIZE, aligned_crops
from facial_keypoints.drawing.faces import draw_faces
from facial_keypoints.export import Crop, to_pts
from facial_keypoints.face import Face
from keypoints_captions.command_line import make_folder, make_results_folder
from keypoints_captions.files import replacing

OVERLAY_QUALITY = 92  # of the JPEGs; less smears thin lines
CROP_QUALITY = 95


@dataclass(frozen=True)
class PhotoFiles:
    """Folders for the files of each photo; None: no files of that kind.

    stems: photo -> its name in each of the folders, without suffix.
    crop_size, crop_margin: as `aligned_crops` has them.
    """

    stems: Mapping[Path, Path]
    overlays: Path | None
    pts: Path | None
    crops: Path | None
    crop_size: int = SIZE
    crop_margin: float = MARGIN

    def write(self, photo: Path, image: np.ndarray, faces: Sequence[Face]) -> list[Crop] | None:
        """All files of a photo; returns its crops, in the order of the faces.

        image: (H, W, 3) uint8 RGB.
        """
        stem = self.stems[photo]
        if self.pts is not None:
            for index, face in enumerate(faces):
                with replacing(self.pts / f"{stem}_{index}.pts") as partial:
                    partial.write_text(to_pts(face))
        if self.overlays is not None:
            drawn = draw_faces(image, faces)
            _save(drawn, overlay_path(self.overlays, stem), quality=OVERLAY_QUALITY)
        return None if self.crops is None else self._cut_out(self.crops / stem, image, faces)

    def _cut_out(self, stem: Path, image: np.ndarray, faces: Sequence[Face]) -> list[Crop]:
        crops: list[Crop] = []
        found = aligned_crops(image, faces, self.crop_size, self.crop_margin)
        for index, crop in enumerate(found):
            path = stem.with_name(f"{stem.name}_{index}.jpg")
            _save(crop.pixels, path, quality=CROP_QUALITY, subsampling=0)
            matrix = [[round(float(value), 6) for value in row] for row in crop.matrix]
            crops.append(Crop(file=str(path), size=self.crop_size, matrix=matrix))
        return crops


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """--overlay and --crops with its options."""
    parser.add_argument(
        "--overlay",
        type=Path,
        metavar="DIR",
        help="also draw the faces: a JPEG for each photo, in folders as the photos'; an MP4 for "
        "each clip",
    )
    parser.add_argument(
        "--crops",
        type=Path,
        metavar="DIR",
        help="also cut the faces out, upright: NAME_0.jpg, NAME_1.jpg … for each photo; the JSON, "
        "JSON lines, Parquet and COCO then say how the photo's pixels go to the crop's",
    )
    parser.add_argument(
        "--crop-size", type=int, default=SIZE, metavar="PIXELS", help="default: %(default)s"
    )
    parser.add_argument(
        "--crop-margin",
        type=float,
        default=MARGIN,
        metavar="SHARE",
        help="around the points, of their longer side; default: %(default)s",
    )


def check_photo_files(
    parser: argparse.ArgumentParser, options: argparse.Namespace, stems: Mapping[Path, Path]
) -> None:
    """Usage errors for folders that cannot be written to, or where a photo would be lost."""
    if options.overlay is not None:
        make_results_folder(parser, "--overlay", options.overlay, stems, overlay_path)
    if not 8 <= options.crop_size <= LARGEST:
        parser.error(f"--crop-size is 8 to {LARGEST} pixels, got {options.crop_size}")
    if not 0 <= options.crop_margin <= 5:
        parser.error(f"--crop-margin is 0 to 5, got {options.crop_margin:g}")
    if options.crops is not None:
        folder = Path(os.path.realpath(options.crops))
        inside = next((p for p in stems if folder in Path(os.path.realpath(p)).parents), None)
        if inside is not None:
            parser.error(
                f"--crops {options.crops} holds the photo {inside}, which a crop could overwrite; "
                "give a folder of its own"
            )
        if options.overlay is not None and folder == Path(os.path.realpath(options.overlay)):
            parser.error(
                f"--crops {options.crops} is the folder of --overlay, where a crop could overwrite "
                "another photo's drawing; give a folder of its own"
            )
        make_folder(parser, "--crops", options.crops)


def overlay_path(folder: Path, stem: Path) -> Path:
    """Where a photo's overlay goes."""
    return folder / f"{stem}.jpg"


def _save(pixels: np.ndarray, path: Path, **options: int) -> None:
    with replacing(path) as partial:
        Image.fromarray(pixels).save(partial, "JPEG", **options)
