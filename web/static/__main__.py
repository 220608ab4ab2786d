"""Writes the static site: `python -m web.static OUT`.

OUT can be served by anything that serves files, under any path: `python -m http.server --directory
OUT`, a static Space of the Hugging Face Hub (the README.md in it configures that), GitHub's pages.
"""

import argparse
import sys
from pathlib import Path

from web.device.engine import EngineError, install_engine
from web.device.files import device_files
from web.static.site import write_site


def main() -> None:
    """The command. Ends with exit code 1 and a sentence where something is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m web.static", description=str(__doc__).splitlines()[0]
    )
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="a new or empty folder, or an old site"
    )
    parser.add_argument("--weights", type=Path, help="folder of the networks (the project's own)")
    options = parser.parse_args()
    try:
        install_engine()
        size = write_site(options.out, device_files(options.weights))
    except (EngineError, ValueError, OSError) as error:
        sys.exit(f"The site was not written: {error}")
    print(f"{options.out}: {size / 1e6:.1f} MB. To look at it:")
    print(f"    python -m http.server --directory {options.out} 8000")


if __name__ == "__main__":
    main()
