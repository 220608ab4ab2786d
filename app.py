"""The web page: `python app.py [--host HOST] [--port PORT] [--share]`."""

import argparse

import facial_keypoints.tabs
from common.guards import guards
from common.photos import MAX_BYTES
from common.theme import build_theme
from common.ui import ASSETS, EXAMPLES
from common.upload_folder import delete_regularly, use_own_folders
from page import DELETE_AGE, DELETE_EVERY, build_page

MAX_UPLOAD = max(MAX_BYTES, facial_keypoints.tabs.MAX_CLIP_BYTES)
SESSIONS = 100  # open pages whose photos are kept; beyond, the least recently used loses its own


def main() -> None:
    """Starts the page, prints its address, then loads the models and serves until stopped."""
    parser = argparse.ArgumentParser(description="Facial keypoints and captions, as a web page.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (%(default)s)")
    parser.add_argument("--share", action="store_true", help="also make a public gradio.live link")
    options = parser.parse_args()
    # Gradio deletes what it knows of first; this is what it has forgotten.
    delete_regularly(use_own_folders(), DELETE_EVERY, DELETE_AGE + 2 * DELETE_EVERY)
    page, models = build_page()
    try:
        _, local, public = page.launch(
            server_name=options.host,
            server_port=options.port,
            share=options.share,
            quiet=True,
            prevent_thread_lock=True,
            state_session_capacity=SESSIONS,
            max_file_size=MAX_UPLOAD,
            allowed_paths=[str(EXAMPLES)],
            ssr_mode=False,
            run_history=False,
            enable_monitoring=False,
            footer_links=["api", "gradio", "settings"],
            theme=build_theme(),
            favicon_path=ASSETS / "favicon.png",
            css_paths=[ASSETS / "page.css", ASSETS / "live" / "live.css"],
            app_kwargs={"middleware": [*guards(MAX_UPLOAD), facial_keypoints.tabs.FRAME_LIMIT]},
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
