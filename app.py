"""The web page: `python app.py [--host HOST] [--port PORT] …`; see `web.server.options`."""

import sys

from starlette.middleware import Middleware

import web.keypoints.tab
from keypoints_captions.cores import fit_threads
from keypoints_captions.photos.reader import MAX_BYTES
from web.components import ASSETS, EXAMPLES
from web.gradio_internals import LAUNCH
from web.page import DELETE_AGE, DELETE_EVERY, build_page
from web.server.health import Health, HealthAnswers
from web.server.logging import use_log
from web.server.memory import return_memory
from web.server.middleware import guards
from web.server.options import parse_options
from web.server.request_log import RequestLog
from web.server.shutdown import Stopping, stop
from web.server.uploads import delete_regularly, use_own_folders
from web.theme import build_theme

MAX_UPLOAD = max(MAX_BYTES, web.keypoints.tab.MAX_CLIP_BYTES)
STYLES = ("page.css", "live/live.css", "api/api.css")
SCRIPTS = ("page.js", "line.js")
VERSION = "1.0.0"
SESSIONS = 100  # open pages whose photos are kept; beyond, the least recently used loses its own


def main() -> None:
    """Starts the page, prints its address, then loads the models and serves until stopped."""
    options = parse_options()
    return_memory()
    fit_threads()
    use_log(options.log_format)
    stopping = Stopping()
    # Gradio deletes what it knows of first; this is what it has forgotten.
    delete_regularly(use_own_folders(), DELETE_EVERY, DELETE_AGE + 2 * DELETE_EVERY)
    page, line, models = build_page(options.weights, options.device)
    health = Health(models, VERSION)
    try:
        _, local, public = page.launch(
            server_name=options.host,
            server_port=options.port,
            share=options.share,
            root_path=options.root_path,
            auth=options.auth,
            mcp_server=options.mcp,
            quiet=True,
            **LAUNCH,
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
            css_paths=[ASSETS / name for name in STYLES],
            app_kwargs={
                "middleware": [
                    Middleware(HealthAnswers, report=health.report),
                    Middleware(RequestLog),
                    *guards(MAX_UPLOAD),
                    web.keypoints.tab.FRAME_LIMIT,
                ]
            },
            head="".join(f"<script>{(ASSETS / name).read_text()}</script>" for name in SCRIPTS),
        )
    except OSError as error:
        sys.exit(f"{error}\nIs the port in use? Choose another with --port.")
    except ImportError as error:  # of the packages for --mcp
        sys.exit(str(error))
    use_log(options.log_format)
    print(f"Open {local}" + (f" or, from anywhere, {public}" if public else ""), flush=True)
    for model in models.values():
        model.start()
    stopping.wait()
    stop(page, line, health)


if __name__ == "__main__":
    main()
