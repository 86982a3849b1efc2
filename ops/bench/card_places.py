"""A process that leases places of status lists as the card service does, and says how many a second.

`python -m ops.bench.card_places` with the settings of the service and `BENCH_PLACES`.
"""

from __future__ import annotations

import asyncio
import json
import os
import time

from chassis.config import Settings, load
from chassis.database import Database
from services.card.keyring import KeyRing
from services.card.operations.places import BLOCK, Places

COUNT = "BENCH_PLACES"


async def main() -> None:
    """Lease, and write the ready file with what was measured."""
    settings = load(Settings, service="card")
    database = Database(settings)
    leases = Places(KeyRing.load(settings.keys_dir))
    await leases.lease(database, 1)  # connects, and makes the tables of the permutation
    wanted, found = int(os.environ[COUNT]), 0
    begun = time.perf_counter()
    while found < wanted:
        found += len(await leases.lease(database, BLOCK))
    said = json.dumps({"rate": found / (time.perf_counter() - begun)})
    await database.close()
    assert settings.ready_file is not None
    draft = settings.ready_file.with_suffix(".draft")
    draft.write_text(json.dumps({"pid": os.getpid(), "said": said}))
    draft.replace(settings.ready_file)


if __name__ == "__main__":
    asyncio.run(main())
