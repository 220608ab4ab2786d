"""What whoever runs the page asks it: does it live, is it ready."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from web.models import Background
from web.server.asgi import Application, Receive, Scope, Send


class Health:
    """How the process fares.

    models: by name. version: of the page.
    """

    def __init__(self, models: Mapping[str, Background[Any]], version: str):
        self._models, self._version = models, version
        self._since = time.monotonic()
        self.stopping = False

    def report(self) -> dict[str, Any]:
        """{"status", "models", "version", "seconds_up"}.

        status: "ready"; "loading" until every model is; "failed" where one cannot be loaded;
            "stopping" from the signal to stop on.
        models: name -> "loading", "ready" or "failed".
        """
        models = {name: model.state for name, model in self._models.items()}
        if self.stopping:
            status = "stopping"
        elif "failed" in models.values():
            status = "failed"
        else:
            status = "ready" if set(models.values()) <= {"ready"} else "loading"
        return {
            "status": status,
            "models": models,
            "version": self._version,
            "seconds_up": round(time.monotonic() - self._since, 1),
        }


class HealthAnswers:
    """ASGI middleware: `/health` has the report, with status 200 when the page is ready and 503
    otherwise, for whoever sends visitors here; `/health/live` has status 200 as long as the
    process answers, for whoever restarts it. Neither needs a login.
    """

    def __init__(self, app: Application, report: Callable[[], dict[str, Any]]):
        self.app, self.report = app, report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/")
        if scope["type"] != "http" or path not in ("/health", "/health/live"):
            await self.app(scope, receive, send)
            return
        report = self.report()
        well = report["status"] == "ready" or path == "/health/live"
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send(
            {"type": "http.response.start", "status": 200 if well else 503, "headers": headers}
        )
        await send({"type": "http.response.body", "body": json.dumps(report).encode()})
