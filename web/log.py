"""The log: a line for each request, as text or JSON, without personal data."""

import json
import logging
import sys
import time
import traceback
from typing import Any

FORMATS = ("text", "json")


class JsonLines(logging.Formatter):
    """{"time", "level", "logger", "message"} and the record's `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class TextLines(logging.Formatter):
    """Time, level, message, and the record's `fields` as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        values = "".join(f" {name}={value}" for name, value in fields.items())
        text = f"{utc(record.created)} {record.levelname.lower()} {record.getMessage()}{values}"
        if record.exc_info:
            text += f"\n{self.formatException(record.exc_info)}"
        return text


def use_log(form: str) -> None:
    """From now on everything is logged to stderr, in one of `FORMATS`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(REQUESTS).setLevel(logging.INFO)


#: The logger of the requests.
REQUESTS = "requests"


def log_request(
    endpoint: str, seconds: float, outcome: str, size: int | None = None, **more: Any
) -> None:
    """Logs one request.

    endpoint: without a visitor's data. size: bytes received; only their `size_class` is logged,
    because an exact size can identify a photo.
    """
    fields = {"endpoint": endpoint, "outcome": outcome, "ms": round(1000 * seconds), **more}
    if size is not None:
        fields["size"] = size_class(size)
    logging.getLogger(REQUESTS).info("request", extra={"fields": fields})


def size_class(size: int) -> str:
    """Rough size of a file of so many bytes."""
    for limit, name in ((100_000, "<100kB"), (1_000_000, "<1MB"), (10_000_000, "<10MB")):
        if size < limit:
            return name
    return ">=10MB"


def described(error: BaseException) -> str:
    """The error's type and the line that raised it, without any of the visitor's data."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def utc(seconds: float) -> str:
    """2026-01-31T12:00:00.000Z of seconds since 1970."""
    thousandths = int(seconds % 1 * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{thousandths:03}Z"
