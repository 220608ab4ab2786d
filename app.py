"""The web page: `python app.py [--host HOST] [--port PORT] …`; see `web.server.options`."""

import os
import sys

from keypoints_captions.cores import fit_threads
from keypoints_captions.photos.reader import ignore_pillow_warnings
from web.device.files import device_files
from web.device.script import early_script
from web.gradio_internals import admits, share_address
from web.log import use_log
from web.memory import return_memory
from web.page import DELETE_AGE, DELETE_EVERY, build_page
from web.server.device_route import compress_in_background, device_route
from web.server.health import Health
from web.server.options import parse_options
from web.server.server import Server, listen
from web.server.site import build_site
from web.server.uploads import MAX_UPLOAD, delete_regularly, use_own_folders

VERSION = "1.0.0"


def main() -> None:
    """Builds the page, prints its address, loads the models meanwhile and serves until stopped."""
    options = parse_options()
    return_memory()
    fit_threads()
    ignore_pillow_warnings()
    use_log(options.log_format)
    try:
        listening = listen(options.host, options.port)
    except OSError as error:
        sys.exit(f"{error}\nIs the port in use? Choose another with --port.")
    # Gradio deletes the files that it knows of; this deletes the others.
    delete_regularly(use_own_folders(), DELETE_EVERY, DELETE_AGE + 2 * DELETE_EVERY)
    files = device_files(options.weights)
    page, queue, models = build_page(files, options.weights, options.device)
    health = Health(models, VERSION)
    try:
        site = build_site(
            page,
            health.routes(),
            MAX_UPLOAD,
            [device_route(files, admits)],
            "" if options.auth else early_script(files),  # nobody gets a file before the login
            root_path=options.root_path,
            auth=options.auth,
            mcp_server=options.mcp,
        )
    except ImportError as error:  # of the packages for --mcp
        print(error, file=sys.stderr, flush=True)
        os._exit(1)  # the interpreter's own end would abort where a model is being loaded
    server = Server(site, listening, options.host)
    server.start()
    public = share_address(options.port) if options.share else None
    print(
        f"Open {server.address}" + (f" or, from anywhere, {public}" if public else ""), flush=True
    )
    compress_in_background(files)
    server.wait()
    server.stop(queue, health)


if __name__ == "__main__":
    main()
