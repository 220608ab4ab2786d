"""The options of `python app.py`, on the command line and from the environment."""

import argparse
import os
from collections.abc import Sequence

from web.log import FORMATS

#: Environment variable for name and password: the list of processes shows command lines.
AUTH = "PHOTO_PAGE_AUTH"
WEIGHTS = "PHOTO_PAGE_WEIGHTS"  # a Space passes no options


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """host, port, share, root_path, auth (None, or a name and a password), log_format, weights,
    device, mcp.

    Ends the process with a message where an option is malformed.
    """
    parser = argparse.ArgumentParser(description="Facial keypoints and captions, as a web page.")
    add = parser.add_argument
    add(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 for all; or GRADIO_SERVER_NAME (%(default)s)",
    )
    add(
        "--port",
        type=_port,
        default=os.environ.get("GRADIO_SERVER_PORT", "7860"),
        help="port to listen on; or GRADIO_SERVER_PORT (%(default)s)",
    )
    add("--share", action="store_true", help="also make a public gradio.live link")
    add(
        "--root-path",
        type=_root_path,
        default=os.environ.get("GRADIO_ROOT_PATH", ""),
        metavar="/PATH",
        help="path of the page behind a reverse proxy; or GRADIO_ROOT_PATH",
    )
    add(
        "--auth",
        type=_auth,
        default=os.environ.get(AUTH),
        metavar="USER:PASSWORD",
        help=f"ask for this name and password; better {AUTH}, which other users cannot see",
    )
    add(
        "--log-format",
        choices=FORMATS,
        default="text",
        help="format of the log on stderr, one line for each request (%(default)s)",
    )
    add(
        "--weights",
        default=os.environ.get(WEIGHTS),
        metavar="PATH",
        help="folder with all that weights/ holds, or OWNER/NAME of the Hugging Face Hub; "
        f"or {WEIGHTS} (the project's own)",
    )
    add("--device", metavar="cpu|cuda", help="what the networks run on (a GPU if there is one)")
    add(
        "--mcp",
        action="store_true",
        help='offer the API to agents as MCP tools; needs pip install "gradio[mcp]"',
    )
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"expected a port, 1 to 65535, got {text!r}")
    return int(text)


def _root_path(text: str) -> str:
    if text and not text.startswith(("/", "http://", "https://")):
        raise argparse.ArgumentTypeError(
            f"expected a path that begins with / or a whole address, got {text!r}"
        )
    return text.rstrip("/")


def _auth(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not (user and colon and password):  # not repeated: it may hold a password
        raise argparse.ArgumentTypeError("expected USER:PASSWORD, neither of them empty")
    return user, password
