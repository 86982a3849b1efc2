"""Reads that must not be older than what the caller already saw: the `min_version` token.

A change answers with the versions of the facts it emitted, "kind:id:version" joined by commas. Whoever reads another
service next passes the token on; the read waits until those facts have arrived there.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

from chassis import inbox, transaction
from kernel.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from datetime import date

    from chassis.database import Database
    from chassis.principal import Principal
    from chassis.transaction import Transaction

WAIT_SECONDS = 2.0  # events usually take some 20 ms; after two seconds the way is blocked and the caller should know
_FIRST_DELAY_SECONDS = 0.02
_LONGEST_DELAY_SECONDS = 0.2
_KEYS_MAX = 32  # a command emits facts of a few aggregates; jobs answer with none
_KEY = re.compile(r"([a-z]{1,32}):([a-z]{3}_[0-9a-f]{32}):([0-9]{1,18})", re.ASCII)


def parse(token: str) -> list[tuple[str, str, int]]:
    """Read a token into (kind, id, version).

    Raises:
        InvalidInput: MIN_VERSION_MALFORMED.
    """
    parts = token.split(",")
    found = [_KEY.fullmatch(part) for part in parts]
    keys = [(one[1], one[2], int(one[3])) for one in found if one is not None]
    if len(keys) != len(parts) or len(parts) > _KEYS_MAX:
        raise InvalidInput("MIN_VERSION_MALFORMED", "a version token is kind:id:version, joined by commas")
    return keys


async def wait(database: Database, token: str, *, principal: Principal, today: date) -> None:
    """Return when the facts of the token are known here.

    Raises:
        Conflict: NOT_YET_KNOWN.
    """
    keys = parse(token)

    async def known(tx: Transaction) -> bool:
        return await inbox.knows(tx, keys)

    until = time.monotonic() + WAIT_SECONDS
    delay = _FIRST_DELAY_SECONDS
    while not await transaction.run(database, known, principal=principal, today=today, read_only=True):
        if time.monotonic() + delay > until:
            raise Conflict("NOT_YET_KNOWN", "facts that the caller knows have not arrived here yet", retry_after=1)
        await asyncio.sleep(delay)
        delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
