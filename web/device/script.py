"""Script tags that start a module of assets/."""

import json

from web.device.files import PAGE_SCRIPT, DeviceFiles
from web.device.setup import page_setup

_WHOLE = """
for (const group of ["engine", "models", "scripts"]) {
  given.device[group] = new URL(given.device[group], new URL(".", location.href)).href;
}"""
_EARLY = """(() => {
%s
const {scripts, engine, models} = given.device;
const page = Object.assign(document.createElement("link"), {rel: "modulepreload"});
page.href = scripts + "page.js";
document.head.append(page);
const asked = new URLSearchParams(location.search);
if (asked.get("view") !== "live" || asked.get("tab") === "captions") return;
if (asked.get("runs") === "server" || navigator.connection?.saveData) return;
const worker = new Worker(`${scripts}device/worker.js`, {type: "module"});
const said = [];
worker.onmessage = ({data}) => said.push(data);
worker.onerror = (event) => {
  event.preventDefault();
  said.push({type: "error", message: event.message});
};
worker.postMessage({type: "load", engine, models});
window.earlyWorker = {worker, said, scripts};
})();
"""
_FAILED = "A part of the page could not be loaded. Reload the page."


def start_script(files: DeviceFiles, name: str) -> str:
    """JavaScript of a `gr.HTML`: makes the class `name` of the component's element.

    What the class gets besides, see `Page` in assets/live/live.js.
    """
    given = {"setup": page_setup(), "device": files.describe()}
    return f"""
const given = {json.dumps(given)};{_WHOLE}
const page = {{
  ...given,
  server: typeof server === "undefined" ? null : server,
  save: (file) => window.saveFile(file),
}};
import(given.device.scripts + {json.dumps(PAGE_SCRIPT)})
  .then((module) => new module.{name}(element, page))
  .catch((error) => {{
    console.error(error);
    element.querySelector("[data-failed]").textContent = {json.dumps(_FAILED)};
  }});
"""


def early_script(files: DeviceFiles) -> str:
    """JavaScript for the beginning of the page: a link to the live view on this device starts the
    worker, which fetches engine and networks while the page itself is still coming. The page's
    `Engine` then goes on with it."""
    return (
        ""
        if files.missing
        else _EARLY % f"const given = {json.dumps({'device': files.describe()})};{_WHOLE}"
    )
