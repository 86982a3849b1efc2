"""Cards by the batch: how fast a job issues them into PostgreSQL, beside a bare COPY of the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from chassis import migrate
from ops.bench.result import Row
from ops.embedded.postgres import EmbeddedPostgres
from ops.home import ROOT
from ops.migrate import make_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.bench.ground import Ground
    from ops.bench.main import Options

SIZE = 400_000
ROUNDS = 3  # of a tenth
RATE, SHARE_OF_COPY, BYTES, GROWTH = 8_300, 0.35, 800, 10.5
SECONDS_MAX = 3_600


def rows(ground: Ground, options: Options) -> Iterator[Row]:
    """One run in a server of its own; nothing else of the platform is needed."""
    size = options.size or options.count(SIZE)
    ground.home.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_keys(ground.home.keys)
    with EmbeddedPostgres(ground.home.root / "card-batch", databases=["card"]) as server:
        migrate.upgrade("card", server.owner_url("card"), "card_app")
        said = _run(ground, server, size, min(options.rounds, ROUNDS))
    large, small, copy = said["large"], said["small"], said["copy"]
    rate = large["rows"] / large["seconds"]
    note = f"{large['rows']:,} cards in {large['seconds']:.0f} s, prepared in {large['prepare_seconds']:.0f} s"
    yield Row("cards issued by the batch", rate, "/s", "limit, two cores", RATE, 1, note=note)
    note = f"COPY of {said['cards']:,} cards into the same tables with their indexes, one after the other"
    yield Row("cards issued by the batch", rate, "/s", "bare COPY", copy["rate"], SHARE_OF_COPY, note=note)
    listed = said["file"]
    note = f"{listed['rows']:,} rows, prepared in {listed['prepare_seconds']:.1f} s"
    yield Row("cards issued from a file", listed["rows"] / listed["seconds"], "/s", note=note)
    yield Row(
        "disk of a card", large["bytes"] / large["rows"], "B", "limit, with outbox", BYTES, 1, is_cost=True,
        note=_parts(said["tables"]) + "; with indexes and job",
    )  # fmt: skip
    spent = 1e6 * (large["processor"] + large["server"]) / large["rows"]
    note = f"worker {large['processor']:.0f} s, server {large['server']:.0f} s"
    yield Row("processor time of a card", spent, "µs", "limit, two cores", 2e6 / RATE, 1, is_cost=True, note=note)
    note = f"{small[0]['rows']:,} rows, in each of the rounds, beside {large['rows']:,} once"
    for name, unit, costs in (
        ("ten times the rows", "times the time", ("seconds",)),
        ("ten times the rows, by processors", "times the processor time", ("processor", "server")),
    ):
        times = [sum(large[cost] for cost in costs) / sum(one[cost] for cost in costs) for one in small]
        yield Row.of(name, times, unit, peer="limit", peer_figure=GROWTH, required=1, is_cost=True, note=note)
    yield Row(
        "memory of the worker", large["memory_mib"], "MiB", "after a tenth", small[-1]["memory_mib"],
        note="the most it ever had",
    )  # fmt: skip
    note = f"{said['lists']} lists of {said['cards']:,} cards, 1 % not valid, read, signed, stored"
    yield Row("status lists published", said["lists_seconds"], "s", note=note)


def _run(ground: Ground, server: EmbeddedPostgres, size: int, rounds: int) -> dict[str, Any]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}
    told = {
        **environ,
        "HRSS_ENV": "dev",
        "HRSS_DATABASE_URL": server.app_url("card"),
        "BENCH_OWNER_URL": server.owner_url("card"),
        "HRSS_KEYS_DIR": str(ground.home.keys),
        "HRSS_FILES_DIR": str(ground.home.files),
        "HRSS_LOG_LEVEL": "warning",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]),
    }
    log = ground.home.root / "card-batch.log"
    said = ground.home.root / "card-batch.json"
    with log.open("ab") as errors, said.open("wb") as output:
        command = [sys.executable, "-m", "ops.bench.card_batch", str(size), str(rounds)]
        child = subprocess.run(  # noqa: S603 - ourselves
            command, env=told, stdout=output, stderr=errors, cwd=ROOT, timeout=SECONDS_MAX, check=False
        )
    if child.returncode:
        raise RuntimeError(log.read_text(errors="replace")[-2000:])
    found: dict[str, Any] = json.loads(said.read_text().splitlines()[-1])
    return found


def _parts(tables: dict[str, float]) -> str:
    return ", ".join(f"{name} {size:.0f}" for name, size in tables.items())
