"""A visitor with bad intentions: sends any values to any event of a running page."""

import json
import secrets
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

API = "gradio_api"


@dataclass(frozen=True)
class Reply:
    """What an event ended in: `success` and its output, or the sentence of an error.

    steps: what it gave before its end.
    """

    success: bool
    output: Any
    steps: tuple[Any, ...] = ()

    @property
    def error(self) -> str:
        """The sentence; empty where the event succeeded."""
        return "" if self.success else str(self.output.get("error"))


class Stranger:
    """One visitor, who has a session and knows Gradio's protocol."""

    def __init__(self, address: str, session: str | None = None):
        self.http = httpx.Client(base_url=address, timeout=120)
        self.session = session or secrets.token_hex(8)

    def events(self) -> list[dict[str, Any]]:
        """The page's events that run on the server, as its configuration tells everybody."""
        config = self.http.get("config").json()
        return [event for event in config["dependencies"] if event["backend_fn"]]

    def ask(self, *requests: dict[str, Any]) -> list[Reply | int]:
        """Sends these to the queue and waits for all: what each ended in, in their order, or the
        HTTP status by which it was refused at once.

        requests: {"fn_index", "data"} and what else of Gradio's `PredictBody` shall be set.
        """
        results: list[Reply | int | str] = []
        for request in requests:
            body = {"session_hash": self.session, **request}
            answer = self.post("queue/join", json.dumps(body).encode())
            joined = answer.status_code == 200
            results.append(answer.json()["event_id"] if joined else answer.status_code)
        waiting = {result for result in results if isinstance(result, str)}
        ended = self._wait(waiting) if waiting else {}
        return [ended[result] if isinstance(result, str) else result for result in results]

    def post(self, path: str, body: bytes, kind: str = "application/json") -> httpx.Response:
        """A request to Gradio's API with any body."""
        return self.http.post(f"{API}/{path}", content=body, headers={"content-type": kind})

    def upload(self, path: Path | tuple[str, bytes]) -> str:
        """The path at which the server keeps a file of this visitor."""
        file = (path.name, path.read_bytes()) if isinstance(path, Path) else path
        return self.http.post(f"{API}/upload", files={"files": file}).json()[0]

    def _wait(self, waiting: set[str]) -> dict[str, Reply]:
        ended: dict[str, Reply] = {}
        steps: dict[str, list[Any]] = defaultdict(list)
        url = f"{API}/queue/data?session_hash={self.session}"
        with self.http.stream("GET", url) as stream:
            for line in stream.iter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line.removeprefix("data:"))
                event, output = message.get("event_id"), message.get("output")
                if message["msg"] == "process_generating":
                    steps[event].append(output)
                elif message["msg"] == "process_completed":
                    ended[event] = Reply(message["success"], output, tuple(steps[event]))
                if waiting <= ended.keys():
                    return ended
        raise RuntimeError(f"the page ended the stream; {len(waiting - ended.keys())} are missing")


def photo(path: str, **entries: Any) -> dict[str, Any]:
    """A file as Gradio's pages send it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **entries}
