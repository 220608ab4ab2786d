"""Script tags that start a module of assets/."""

import json

from web.device.files import DeviceFiles
from web.device.setup import page_setup

_WHOLE = """
for (const group of ["engine", "models", "scripts"]) {
  given.device[group] = new URL(given.device[group], new URL(".", location.href)).href;
}"""
_EARLY = """(async () => {
const asked = new URLSearchParams(location.search);
if (asked.get("view") !== "live" || asked.get("tab") === "captions") return;
if (asked.get("runs") === "server" || navigator.connection?.saveData) return;
%s
const {sharedEngine, whyNot} = await import(given.device.scripts + "device/engine.js");
if (!whyNot(given.device)) await sharedEngine(given.device).load();
})().catch(() => {}); // said once it is needed
"""
_FAILED = "A part of the page could not be loaded. Reload the page."


def start_script(files: DeviceFiles, module: str, name: str) -> str:
    """JavaScript of a `gr.HTML`: makes the module's class `name` of the component's element.

    module: below assets/. What the class gets besides, see `Page` in assets/live/live.js.
    """
    given = {"setup": page_setup(), "device": files.describe()}
    return f"""
const given = {json.dumps(given)};{_WHOLE}
const page = {{
  ...given,
  server: typeof server === "undefined" ? null : server,
  save: (file) => window.saveFile(file),
}};
import(given.device.scripts + {json.dumps(module)})
  .then((module) => new module.{name}(element, page))
  .catch((error) => {{
    console.error(error);
    element.querySelector("[data-failed]").textContent = {json.dumps(_FAILED)};
  }});
"""


def early_script(files: DeviceFiles) -> str:
    """JavaScript for the page's head: a link to the live view on this device fetches and starts the
    networks while the page itself is still coming."""
    return _EARLY % f"const given = {json.dumps({'device': files.describe()})};{_WHOLE}"
