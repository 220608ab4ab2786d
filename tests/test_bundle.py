"""Modules joined to the scripts that browsers fetch."""

from pathlib import Path

import pytest

from web.device.bundle import bundled
from web.device.files import device_files


def written(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def test_modules_come_before_those_that_need_them_and_once(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        a='import {b as other} from "./b.js";\nimport {C} from "./c.js";\n'
        "export class A {}\nexport async function go() {}\n",
        b='import {C} from "./c.js";\nexport const b = 1;\n',
        c="export class C {}\n",
    )
    text = bundled(folder, ["a.js", "b.js"])
    assert [line for line in text.splitlines() if line.startswith("const module_")] == [
        "const module_c = (() => {", "const module_b = (() => {", "const module_a = (() => {",
    ]  # fmt: skip
    assert "const {b: other} = module_b;" in text
    assert text.endswith("export const {A, go} = module_a;\nexport const {b} = module_b;\n")
    assert "import" not in text


def test_what_cannot_be_joined_is_refused(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        a='import {b} from "./b.js";\nexport const a = 1;\n',
        b='import {a} from "./a.js";\nexport const b = 1;\n',
        c="const c = 1;\nexport {c};\n",
        d='import * as all from "./c.js";\n',
    )
    with pytest.raises(ValueError, match=r"circle, got a\.js > b\.js"):
        bundled(folder, ["a.js"])
    for name in ("c.js", "d.js"):
        with pytest.raises(ValueError, match=f"{name} has a statement that cannot be joined"):
            bundled(folder, [name])


def test_page_and_workers_have_a_script_each() -> None:
    files = device_files().scripts.files
    assert [name for name in files if name.endswith(".js")] == [
        "page.js",
        "device/worker.js",
        "device/helper.js",
    ]
    page, worker = (files[name].read_text() for name in ("page.js", "device/worker.js"))
    for name in ("LiveView", "KeepPhoto", "PhotoView"):
        assert f"export const {{{name}}} = " in page
    assert "self.onmessage = " in worker and "\nexport " not in worker
