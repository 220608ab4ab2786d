"""The files of the static site."""

import importlib.util
import json
import shutil
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from web.device.compression import gzipped
from web.device.files import ASSETS, DeviceFiles, Group
from web.device.markup import live_html, photo_html
from web.device.setup import page_setup

TITLE = "Facial keypoints on your device"
TAGLINE = "68 points on every face, found in your browser: no picture leaves this device."
_STATIC = ASSETS / "static"
#: In this order, after the theme; `python -m web.theme` writes that for them.
STYLES = ("page.css", "live/live.css", "device/photo/photo.css", "static/site.css")
_THEME = "static/theme.css"
_SCRIPTS = ("static/dark.js", "static/site.js")
#: Name of a card -> what it is called.
_CARDS = {
    "facial_keypoints": "Model card of the keypoints",
    "face_detector": "of the face detector",
}
_MARK = ".static-site"  # a folder with this file may be written over
_SPACE = """---
title: {title}
short_description: {short}
emoji: 📷
colorFrom: green
colorTo: gray
sdk: static
app_file: index.html
pinned: false
license: other
license_name: apache-2.0-code-research-weights
license_link: licences.txt
---

# {title}

{tagline}

Plain files, written by `python -m web.static`; any static host serves them.
"""


def write_site(out: Path, files: DeviceFiles) -> int:
    """Writes the site, and returns its size in bytes.

    Args:
        out: a folder that is new, empty, or holds an earlier site, which goes.

    Raises:
        ValueError: something the site needs is missing, or `out` holds other things.
    """
    if files.missing:
        raise ValueError(files.missing)
    _clear(out)
    (out / _MARK).touch()
    groups = _copy_groups(out, files)
    _copy_page(out)
    for name in _CARDS:
        _write_card(out, name, files.models.files["facial_keypoints.onnx"].parent / f"{name}.md")
    given = {
        "setup": page_setup(),
        "device": {
            **{name: group.address for name, group in groups.items()},
            "missing": "",
            "packed": True,
            "megabytes": files.megabytes,
        },
    }
    (out / "site" / "given.json").write_text(json.dumps(given), encoding="utf-8")
    links = " · ".join(f'<a href="{name}.html">{title}</a>' for name, title in _CARDS.items())
    page = _filled(
        "index.html",
        logo=(ASSETS / "logo.svg").read_text(encoding="utf-8"),
        live=live_html(),
        photo=photo_html(),
        megabytes=str(files.megabytes),
        cards=links,
    )
    (out / "index.html").write_text(page, encoding="utf-8")
    space = _SPACE.format(title=TITLE, tagline=TAGLINE, short="68 points on faces, in your browser")
    (out / "README.md").write_text(space, encoding="utf-8")
    return sum(file.stat().st_size for file in out.rglob("*") if file.is_file())


def _clear(out: Path) -> None:
    if out.exists():
        if not out.is_dir() or (any(out.iterdir()) and not (out / _MARK).exists()):
            raise ValueError(f"{out} holds other things; expected a new or empty folder")
        shutil.rmtree(out)
    out.mkdir(parents=True)


def _copy_groups(out: Path, files: DeviceFiles) -> dict[str, Group]:
    """Copies engine, networks and scripts to their addresses."""
    groups = files.groups
    for group in groups.values():
        for name, file in group.files.items():
            path = out / group.address / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if (
                file.suffix == ".wasm"
            ):  # most static hosts would send it as it is, four times as long
                path.with_name(f"{name}.packed").write_bytes(gzipped(file))
            else:
                shutil.copyfile(file, path)
    return groups


def _copy_page(out: Path) -> None:
    """Style, scripts, icon, licences."""
    for name in (_THEME, *STYLES, *_SCRIPTS):
        _copy(ASSETS / name, out / "site" / Path(name).name)
    _copy(ASSETS / "favicon.png", out / "favicon.png")
    _copy(ASSETS / "ATTRIBUTION.md", out / "attribution.txt")
    root = ASSETS.parent
    texts = [root / "weights" / "LICENSE.md", root / "LICENSE", _STATIC / "onnxruntime.txt"]
    licences = ("\n\n" + "-" * 72 + "\n\n").join(path.read_text(encoding="utf-8") for path in texts)
    (out / "licences.txt").write_text(licences, encoding="utf-8")
    _copy_fonts(out)


def _copy_fonts(out: Path) -> None:
    """IBM Plex Sans, which Gradio brings along; without Gradio the system's own font is used."""
    found = importlib.util.find_spec("gradio")
    if found is None or not found.origin:
        return
    folder = (
        Path(found.origin).parent / "templates" / "frontend" / "static" / "fonts" / "IBMPlexSans"
    )
    rules = []
    for name, weight in (("IBMPlexSans-Regular.woff2", 400), ("IBMPlexSans-Bold.woff2", 700)):
        if (folder / name).is_file():
            _copy(folder / name, out / "site" / name)
            rules.append(
                f'@font-face {{ font-family: "IBM Plex Sans"; font-weight: {weight}; '
                f'src: url("{name}") format("woff2"); font-display: swap; }}\n'
            )
    with open(out / "site" / "theme.css", "a", encoding="utf-8") as theme:
        theme.writelines(rules)


def _write_card(out: Path, name: str, card: Path) -> None:
    """A model card as a page; its front matter is for the Hub."""
    text = card.read_text(encoding="utf-8")
    if text.startswith("---\n"):
        text = text.split("\n---\n", 1)[1]
    html = MarkdownIt("commonmark").enable("table").render(text)
    html = html.replace("<table>", '<div class="wide" tabindex="0"><table>')
    html = html.replace("</table>", "</table></div>")
    (out / f"{name}.html").write_text(_filled("card.html", text=html), encoding="utf-8")


def _filled(template: str, **parts: str) -> str:
    """The template with its {{places}} filled. parts: HTML."""
    sheets = "\n".join(
        f'<link rel="stylesheet" href="site/{Path(name).name}">' for name in (_THEME, *STYLES)
    )
    parts = {"title": escape(TITLE), "tagline": escape(TAGLINE), "stylesheets": sheets, **parts}
    text = (_STATIC / template).read_text(encoding="utf-8")
    for name, value in parts.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
