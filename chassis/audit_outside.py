"""Checkpoints leave the database: each process writes its file, and what is not in the stream yet is published.

What is outside already decides, not a mark in the database: the file's last line says where it goes on. A checkpoint
that the stream got twice is dropped there by its id.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis import audit_chain, audit_file, metrics
from chassis.audit_chain import CheckpointWrong
from chassis.logs import get_logger
from kernel.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from chassis.bus import Bus
    from chassis.database import Database

log = get_logger(__name__)

HAND_OUT_ROWS = 50
HASHES = "SELECT hash FROM audit_seal WHERE number BETWEEN $1 AND $2 ORDER BY number"
AFTER = "SELECT body, signature FROM audit_checkpoint WHERE number > $1 ORDER BY number LIMIT $2"
SAME = "SELECT body FROM audit_checkpoint WHERE number = $1"
STREAMED = "SELECT streamed FROM audit_sealer"
MARK_STREAMED = "UPDATE audit_sealer SET streamed = greatest(streamed, $1)"

_broken = threading.Event()


def is_broken() -> bool:
    """Whether a sealer of this process found something wrong since it started."""
    return _broken.is_set()


def tell_broken() -> None:
    """Say so from now on, at /metrics and to operators."""
    _broken.set()
    metrics.AUDIT_BROKEN.set(1)


@dataclass(slots=True)
class Outside:
    """The file and the stream of one service, as one process writes them."""

    database: Database
    bus: Bus | None
    _filed: int | None = field(default=None, init=False)  # last checkpoint that stands in the file
    _said: set[str] = field(default_factory=set, init=False)

    async def hand_out(self) -> None:
        """Write what is not outside yet to the file and to the stream.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE.
        """
        try:
            while await self._file():
                pass
        except (OSError, CheckpointWrong) as error:
            self._filed = None
            self._once("audit_file_failed", error=type(error).__name__)
        if self.bus is not None and self.bus.is_connected:
            try:
                while await self._stream():
                    pass
            except Unavailable as error:
                self._once("audit_stream_failed", why=error.reason)

    async def _file(self) -> int:
        """Add the next checkpoints to the file; how many there were."""
        path = audit_file.path_of(self.database.settings.audit_files, self.database.settings.service)
        if self._filed is None:
            self._filed = await self._begun(path)
        async with self.database.connection() as connection:
            found = await connection.fetch(AFTER, self._filed, HAND_OUT_ROWS)
            checkpoints = []
            for row in found:
                one = audit_chain.read(row["body"], row["signature"])
                hashes = [record["hash"] for record in await connection.fetch(HASHES, one.first, one.last)]
                marks = audit_chain.marks_of(hashes)
                checkpoints.append(audit_chain.read(row["body"], row["signature"], marks))
        if checkpoints:
            await asyncio.to_thread(audit_file.append, path, checkpoints)
            self._filed = checkpoints[-1].number
            self._said.discard("audit_file_failed")
        return len(checkpoints)

    async def _begun(self, path: Path) -> int:
        """The last checkpoint of the file, which the database must know as it stands there."""
        known = await asyncio.to_thread(audit_file.last, path)
        if known is None:
            return 0
        async with self.database.connection() as connection:
            body = await connection.fetchval(SAME, known.number)
        if body != known.body:
            # Restored to an earlier moment, another database, or changed: `hrss audit verify` says which row.
            self._once("audit_file_differs", checkpoint=known.number)
            tell_broken()
        return known.number

    async def _stream(self) -> int:
        """Publish the next checkpoints; how many there were. One that is said twice is dropped by its id."""
        assert self.bus is not None
        service = self.database.settings.service
        async with self.database.connection() as connection:
            found = await connection.fetch(AFTER, await connection.fetchval(STREAMED), HAND_OUT_ROWS)
        for row in found:
            one = audit_chain.read(row["body"], row["signature"])
            headers = {"Nats-Msg-Id": f"audit-{service}-{one.number}", "Hrss-Signature": one.signature.hex()}
            await self.bus.publish(f"hrss.audit.v1.{service}", one.body.encode(), headers)
            async with self.database.connection() as connection:
                await connection.execute(MARK_STREAMED, one.number)
            self._said.discard("audit_stream_failed")
        return len(found)

    def _once(self, event: str, **details: Any) -> None:
        """Say a trouble once, until it is over."""
        if event not in self._said:
            self._said.add(event)
            log.error(event, **details)
