"""Set-up of what runs in visitors' browsers: `python -m web.device`. `make run` calls it once."""

import sys

from web.device.compression import compress_all
from web.device.engine import PROCESSOR_FILES, EngineError, install_engine, version
from web.device.files import device_files


def main() -> None:
    """Installs the engine and compresses what every visitor fetches.

    Ends with exit code 1 and a sentence where the engine cannot be had.
    """
    try:
        folder = install_engine()
    except EngineError as error:
        sys.exit(
            f"Faces cannot be found in visitors' browsers: {error}\n"
            "The page works without, with its live view on the server. To try again: "
            "python -m web.device"
        )
    files = device_files()
    # What few visitors ask for, the page compresses while it runs.
    compress_all([files.engine.files[name] for name in PROCESSOR_FILES])
    compress_all([*files.models.files.values(), *files.scripts.files.values()])
    print(f"onnxruntime-web {version()} is installed: faces can be found in visitors' browsers.")
    print(f"It is in {folder}")


if __name__ == "__main__":
    main()
