"""The health check of the containers: says 0 for an answer of 200 and 1 for everything else."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from ops.embedded.postgres import free_port
from ops.home import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """200 at /readyz, 503 elsewhere."""
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def check(url: str) -> int:
    command = [sys.executable, "-I", "-S", str(ROOT / "ops" / "health.py"), url]
    return subprocess.run(command, check=False, timeout=30).returncode


def test_an_answer_of_200_is_well(url: str) -> None:
    assert check(f"{url}/readyz") == 0


def test_another_answer_is_not(url: str) -> None:
    assert check(f"{url}/healthz") == 1


def test_no_answer_is_not() -> None:
    assert check(f"http://127.0.0.1:{free_port()}/readyz") == 1
