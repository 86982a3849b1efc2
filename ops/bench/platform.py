"""The platform as a whole: how long it takes to start, and how much memory it holds when nobody asks for anything."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ops.bench.ground import ground as new_ground
from ops.bench.measure import descendants, pss_mib
from ops.bench.result import Row
from ops.embedded.postgres import EmbeddedPostgres
from ops.secrets import Keys
from ops.servers import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.bench.ground import Ground
    from ops.bench.main import Options

MEMORY_MIB = 1100
IDLE_SECONDS = 5.0
PAIRS = 3


def start(_ground: Ground, options: Options) -> Iterator[Row]:
    """Seconds from `hrss up` to ready: in an empty directory, and where it ran before; beside PostgreSQL alone."""
    empty, warm, bare_empty, bare_warm = [], [], [], []
    for _ in range(min(options.rounds, PAIRS)):
        bare = _bare()
        bare_empty.append(bare[0])
        bare_warm.append(bare[1])
        with new_ground() as fresh:
            empty.append(fresh.up())
            fresh.down()
            warm.append(fresh.up())
    peer = "the embedded PostgreSQL alone"
    note = "schemas, streams and keys are made"
    yield Row.beside("start, empty home", list(zip(empty, bare_empty, strict=True)), "s", peer, is_cost=True, note=note)
    yield Row.beside("start, warm home", list(zip(warm, bare_warm, strict=True)), "s", peer, is_cost=True)


def memory(ground: Ground, _options: Options) -> Iterator[Row]:
    """Memory of the idle platform, shared pages divided by who shares them."""
    ground.up()
    time.sleep(IDLE_SECONDS)
    shares: dict[str, float] = {}
    named = {pid: name for name, pid in ground.pids().items()}
    for pid in descendants(ground.pids()["supervisor"]):
        name = named.get(pid, "postgres")  # the only one that has processes of its own
        shares[name] = shares.get(name, 0.0) + pss_mib(pid)
    listed = ", ".join(f"{name} {share:.0f}" for name, share in sorted(shares.items(), key=lambda one: -one[1]))
    total = sum(shares.values())
    yield Row(
        "memory of the idle platform", total, "MiB PSS", "limit", MEMORY_MIB, required=1, is_cost=True, note=listed
    )


def _bare() -> tuple[float, float]:
    """Seconds of a first and of a second start of PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="hrss-bench-pg-") as folder:
        root = Path(folder)
        root.chmod(0o711)
        keys = Keys(root / "keys")
        seconds = []
        for _ in range(2):
            begun = time.perf_counter()
            with EmbeddedPostgres(root / "pg", keys=keys, databases=SERVICES):
                seconds.append(time.perf_counter() - begun)
    return seconds[0], seconds[1]
