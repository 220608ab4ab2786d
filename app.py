"""The web page: `python app.py [--host HOST] [--port PORT] [--share]`."""

import argparse
from collections.abc import Callable
from typing import Any

import gradio as gr

import captioning.tab
import facial_keypoints.tabs
from common.background import Background
from common.photos import MAX_BYTES
from common.theme import build_theme
from common.ui import ASSETS, EXAMPLES

TITLE = "Facial keypoints and photo captions"
TAGLINE = "A photo goes in; 68 points on every face, or a sentence about it, come out."

#: Name -> what lays the tab out and returns its model, to be loaded once the page is up.
TABS: dict[str, Callable[[gr.Blocks], Background[Any]]] = {
    "Facial keypoints": facial_keypoints.tabs.build_tabs,
    "Photo captions": captioning.tab.build_tab,
}

#: Uploaded files are deleted at this age, looked for this often; seconds.
DELETE_AGE, DELETE_EVERY = 900, 60
QUEUE_SIZE = 64  # requests waiting; more are told that the page is busy
SESSIONS = 100  # open pages whose photos are kept; beyond, the least recently used loses its own


def build_page() -> tuple[gr.Blocks, list[Background[Any]]]:
    """The page, and the models of its tabs."""
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(DELETE_EVERY, DELETE_AGE)
    ) as page:
        gr.HTML(
            f'<header class="masthead">{(ASSETS / "logo.svg").read_text()}<div>'
            f"<h1>{TITLE}</h1><p>{TAGLINE}</p></div></header>"
        )
        with gr.Tabs():
            models = []
            for name, build_tab in TABS.items():
                with gr.Tab(name):
                    models.append(build_tab(page))
        gr.HTML(
            '<p class="privacy">What you show goes to the machine that runs this page and no '
            f"further. Files are deleted there after {DELETE_AGE // 60} minutes, what was found in "
            "them when you close the page; the camera's pictures are never stored.</p>"
        )
        _forget_when_closed(page)
    page.queue(max_size=QUEUE_SIZE)
    return page, models


def _forget_when_closed(page: gr.Blocks) -> None:
    """Drops what the server keeps for a page as soon as it is closed; Gradio would in an hour."""

    def forget(request: gr.Request) -> None:
        page.state_holder.session_data.pop(request.session_hash or "", None)

    page.unload(forget)


def main() -> None:
    """Starts the page, prints its address, then loads the models and serves until stopped."""
    parser = argparse.ArgumentParser(description="Facial keypoints and captions, as a web page.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (%(default)s)")
    parser.add_argument("--share", action="store_true", help="also make a public gradio.live link")
    options = parser.parse_args()
    page, models = build_page()
    try:
        _, local, public = page.launch(
            server_name=options.host,
            server_port=options.port,
            share=options.share,
            quiet=True,
            prevent_thread_lock=True,
            state_session_capacity=SESSIONS,
            max_file_size=max(MAX_BYTES, facial_keypoints.tabs.MAX_CLIP_BYTES),
            allowed_paths=[str(EXAMPLES)],
            ssr_mode=False,
            footer_links=["api", "gradio", "settings"],
            theme=build_theme(),
            favicon_path=ASSETS / "favicon.png",
            css_paths=[ASSETS / "page.css", ASSETS / "live" / "live.css"],
            app_kwargs={"middleware": [facial_keypoints.tabs.FRAME_LIMIT]},
            head=f"<script>{(ASSETS / 'page.js').read_text()}</script>",
        )
    except OSError as error:
        parser.exit(1, f"{error}\nIs the port in use? Choose another with --port.\n")
    print(f"Open {local}" + (f" or, from anywhere, {public}" if public else ""), flush=True)
    for model in models:
        model.start()
    page.block_thread()


if __name__ == "__main__":
    main()
