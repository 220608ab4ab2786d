"""The fold "Use it from a program": the API's endpoints, with complete examples."""

from html import escape

import gradio as gr

from web.components import ASSETS

API = ASSETS / "api"
#: Placeholder in the examples for the page's address, which the visitor's browser fills in.
ADDRESS = "ADDRESS"
EXAMPLES = {"Python": "python.py", "JavaScript": "javascript.mjs", "curl": "curl.sh"}
_ENDPOINTS = """
<ul class="endpoints">
<li><code>/caption</code>: sentences that describe a photo, best first, each with its
log-probability and the probability of each word. <code>photo</code>; <code>beam_size</code>, 1 to
20, default 3; <code>num_captions</code>, 1 to 20, default 1.</li>
<li><code>/keypoints</code>: for each face its box, 68 points in pixels, the confidence of each and
the head's pose. <code>photo</code>.</li>
</ul>
<p>The answers are those of the command line. Requests wait in the same queue as the visitors of
this page; status 503 means that the queue is full. <code>health</code> says whether the page is
ready.</p>
"""
_FILL_IN = f"""
const address = location.origin + location.pathname.replace(/[^/]*$/, "");
for (const figure of element.querySelectorAll("figure")) {{
  const code = figure.querySelector("code");
  code.textContent = code.textContent.replaceAll("{ADDRESS}", address);
  figure.querySelector("[data-copy]").dataset.copy = code.textContent;
}}
"""


def build_api_section() -> None:
    """Lays out the fold, closed, in the Gradio context of the caller."""
    figures = "".join(_figure(title, name) for title, name in EXAMPLES.items())
    with gr.Accordion("Use it from a program", open=False):
        gr.HTML(f"{_ENDPOINTS}{figures}", js_on_load=_FILL_IN, elem_id="api")


def _figure(title: str, name: str) -> str:
    code = escape((API / name).read_text())
    return (
        f'<figure><figcaption><b>{title}</b> <button type="button" class="as-link" '
        f'data-copy="" aria-label="Copy the example in {title}">Copy</button>'
        f'<span class="unseen" role="status"></span></figcaption>'
        f'<pre tabindex="0"><code>{code}</code></pre></figure>'
    )
