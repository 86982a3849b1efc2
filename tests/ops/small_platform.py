"""`python -m tests.ops.small_platform`: `hrss up` with both servers and one program, for tests of the life around them.

The whole platform is started by the tests in `tests/system`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from rich.console import Console

from ops import up
from ops.embedded.nats import EmbeddedNats
from ops.embedded.postgres import EmbeddedPostgres
from ops.home import Home
from ops.platform import Platform
from ops.secrets import Keys
from ops.units import Program, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVES = """
import json, os, signal, sys
with open(os.environ["HRSS_READY_FILE"], "w") as file:
    file.write(json.dumps({"pid": os.getpid()}))
signal.pause()
"""


def plan(home: Home, environ: Mapping[str, str]) -> Platform:
    """PostgreSQL, NATS and a program that needs both."""
    keys = Keys(home.keys)
    postgres = EmbeddedPostgres(home.root / "pg", keys=keys, databases=["enrollment"], log=home.log("postgres"))
    nats = EmbeddedNats(home.root / "nats", keys=keys, log=home.log("nats"))
    units = (
        Server("postgres", postgres, home, signal.SIGINT),
        Server("nats", nats, home, signal.SIGTERM),
        Program("gateway", [sys.executable, "-c", SERVES], dict(environ), home, needs=("postgres", "nats")),
    )
    return Platform(units, gateway_url="http://127.0.0.1:1", issuer="", traces_url="")


if __name__ == "__main__":
    sys.exit(up.up(Home.of(os.environ), os.environ, Console(width=120), plan=plan))
