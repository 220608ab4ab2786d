"""The log: a line for each request, in words or as JSON, and nothing personal in it."""

import json
import logging
import sys
import time
from typing import Any

FORMATS = ("text", "json")


class JsonLines(logging.Formatter):
    """{"time", "level", "logger", "message"} and what the line's `fields` hold."""

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
    """Time, message, and the line's `fields` as name=value."""

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
    """One line on one request.

    endpoint: what was asked for, without anything of the visitor's in it. size: bytes that came;
    the line has their `size_class` only, because an exact size can tell whose photo it was.
    """
    fields = {"endpoint": endpoint, "outcome": outcome, "ms": round(1000 * seconds), **more}
    if size is not None:
        fields["size"] = size_class(size)
    logging.getLogger(REQUESTS).info("request", extra={"fields": fields})


def size_class(size: int) -> str:
    """How large a file of so many bytes is, roughly."""
    for limit, name in ((100_000, "<100kB"), (1_000_000, "<1MB"), (10_000_000, "<10MB")):
        if size < limit:
            return name
    return ">=10MB"


def utc(seconds: float) -> str:
    """2026-01-31T12:00:00.000Z of seconds since 1970."""
    thousandths = int(seconds % 1 * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{thousandths:03}Z"
