"""A server of the playground, as `langmodel serve` starts it."""

import http.client
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from langmodel.inference.language_model import LanguageModel

HOSTILE = "<img/src=x/onerror=alert(1)>"


class Served:
    """A running server, and how to ask it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, lm: LanguageModel) -> None:
        self.process, self.port, self.lm = process, port, lm

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict, bytes]:
        """Status, headers and body of an answer. A body that is no bytes is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def call(self, name: str, **fields: Any) -> Any:
        status, _, body = self.ask("POST", f"/api/{name}", fields)
        assert status == 200, body
        if name == "sample":
            return [json.loads(line) for line in body.splitlines()]
        return json.loads(body)

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def start_server(directory: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], int, Path]:
    """The process, its port, and the file that holds its messages."""
    log = directory / "serve.log"
    with log.open("wb") as messages:
        process = subprocess.Popen(
            [sys.executable, "-m", "langmodel", "serve", *arguments, "--port", "0", "--threads", "1"],
            cwd=directory,
            stderr=messages,
        )
    while process.poll() is None:
        if found := re.search(r"at http://127\.0\.0\.1:(\d+)/", log.read_text()):
            return process, int(found[1]), log
        time.sleep(0.05)
    raise AssertionError(log.read_text())
