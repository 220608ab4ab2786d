"""Liveness and readiness endpoints."""

import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from web.models import Background


class Health:
    """State of the process.

    models: by name. version: of the page.
    """

    def __init__(self, models: Mapping[str, Background[Any]], version: str):
        self._models, self._version = models, version
        self._since = time.monotonic()
        self.stopping = False

    def report(self) -> dict[str, Any]:
        """{"status", "models", "version", "seconds_up"}.

        status: "ready"; "loading" until every model is; "failed" where one cannot be loaded;
            "stopping" after the signal to stop.
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

    def routes(self) -> list[Route]:
        """`/health`: the report, with status 200 when the page is ready and 503 otherwise, for load
        balancers. `/health/live`: status 200 as long as the process answers, for supervisors that
        restart it. Neither needs a login."""

        def answer(request: Request) -> JSONResponse:
            report = self.report()
            well = report["status"] == "ready" or request.url.path.endswith("/live")
            return JSONResponse(
                report, status_code=200 if well else 503, headers={"cache-control": "no-store"}
            )

        return [Route("/health", answer), Route("/health/live", answer)]
