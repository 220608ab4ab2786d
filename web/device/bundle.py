"""Modules of assets/ joined into one file: one request in place of four rounds of them.

Each module becomes a function that runs once and returns what the module exports. The modules are
written for this: imports stand at the beginning, each with its names, and what is exported is
exported where it is declared.
"""

import hashlib
import posixpath
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from keypoints_captions.files import replacing
from web.own_folder import own_folder

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|let|class|function)\*? +(\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b[^(\n]*", re.MULTILINE)


def bundled(folder: Path, entries: Sequence[str]) -> str:
    """JavaScript of one module that exports what the entries export.

    Args:
        folder: of the modules.
        entries: paths below the folder.

    Raises:
        ValueError: a module imports or exports in another way than this can join.
    """
    parts: dict[str, str] = {}  # module -> its function, those that others need first
    exports: dict[str, list[str]] = {}

    def take(module: str, waiting: tuple[str, ...] = ()) -> None:
        if module in waiting:
            raise ValueError(f"expected modules without a circle, got {' > '.join(waiting)}")
        if module in parts:
            return
        source = (folder / module).read_text(encoding="utf-8")
        imports = [
            (names, posixpath.normpath(posixpath.join(posixpath.dirname(module), address)))
            for names, address in _IMPORT.findall(source)
        ]
        for _, other in imports:
            take(other, (*waiting, module))
        names = _EXPORT.findall(source)
        body = _EXPORT.sub("", _IMPORT.sub("", source))
        if rest := _OTHER.search(body):
            raise ValueError(f"{module} has a statement that cannot be joined: {rest[0]}")
        needed = "".join(
            f"const {{{names.replace(' as ', ': ')}}} = {_variable(other)};\n"
            for names, other in imports
        )
        exports[module] = names
        parts[module] = (
            f"const {_variable(module)} = (() => {{\n{needed}{body}"
            f"return {{{', '.join(names)}}};\n}})();\n"
        )

    for entry in entries:
        take(entry)
    given = [
        f"export const {{{', '.join(exports[entry])}}} = {_variable(entry)};\n"
        for entry in entries
        if exports[entry]
    ]
    return "".join([*parts.values(), *given])


def write_bundles(folder: Path, bundles: Mapping[str, Sequence[str]]) -> dict[str, Path]:
    """Writes one file for each name -> entries, and returns where they are: in a folder that is
    named by their contents, of the virtual environment or, where that cannot be written, of the
    page's own, beside the temporary files, which are deleted when they are old."""
    texts = {name: bundled(folder, entries) for name, entries in bundles.items()}
    version = hashlib.sha256("".join(texts.values()).encode()).hexdigest()[:16]
    try:
        return _write(Path(sys.prefix, "share", "photo-page", "scripts", version), texts)
    except OSError:
        return _write(own_folder() / "scripts" / version, texts)


def _write(place: Path, texts: Mapping[str, str]) -> dict[str, Path]:
    files = {name: place / name for name in texts}
    for name, file in files.items():
        if not file.is_file():
            with replacing(file) as partial:
                partial.write_text(texts[name], encoding="utf-8")
    return files


def _variable(module: str) -> str:
    return "module_" + re.sub(r"\W", "_", module.removesuffix(".js"))
