"""Sessions of browsers in the gateway's database: the id is known to the browser alone, its hash to the table.

Tokens and the masked name lie sealed in their row. A session ends after half an hour without a request (15 minutes for
staff, whose screens stand in offices), and after a working day in any case.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from chassis import transaction
from chassis.principal import Principal
from chassis.sealed import SealBroken, Sealer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import date, datetime
    from typing import TypeVar

    from chassis.database import Database
    from chassis.transaction import Transaction

    T = TypeVar("T")

IDLE = {"person": timedelta(minutes=30), "staff": timedelta(minutes=15)}
LIFE = timedelta(hours=8)  # a working day, as long as the provider refreshes
TOUCH = timedelta(seconds=60)  # a session's last use is written at most so often: a click is no write
_SWEEP_MAX = 200  # ended sessions that a login clears away
_ID_BYTES = 32
_TABLE, _COLUMN = "portal_session", "content"


@dataclass(frozen=True, slots=True)
class Login:
    """What a login gave: tokens, and who `/v1/me` says it is."""

    token: str
    refresh_token: str
    token_end: float  # seconds of the epoch
    subject: str
    roles: tuple[str, ...]
    acr: int
    person_id: str = ""
    name_masked: str = ""

    @property
    def kind(self) -> str:
        """Whose rules of idleness count."""
        return "person" if "CITIZEN" in self.roles else "staff"


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in."""

    id: str
    login: Login


class Sessions:
    """Makes, finds and ends sessions."""

    def __init__(self, database: Database, sealer: Sealer, today: Callable[[], date]) -> None:
        self._database = database
        self._sealer = sealer
        self._today = today

    async def start(self, login: Login, *, instead_of: str = "") -> Session:
        """A new session with a new id; the one before it, whose id others may know, ends."""
        session = Session(base64.urlsafe_b64encode(secrets.token_bytes(_ID_BYTES)).decode().rstrip("="), login)
        key = _hash(session.id)
        content = self._seal(key, login)

        async def work(tx: Transaction) -> None:
            if instead_of:
                await tx.execute("DELETE FROM portal_session WHERE id_hash = $1", _hash(instead_of))
            await tx.execute(
                """
                DELETE FROM portal_session WHERE id_hash IN (
                    SELECT id_hash FROM portal_session WHERE use_time < $1 OR end_time < $2
                    LIMIT $3 FOR UPDATE SKIP LOCKED
                )
                """,
                tx.now - max(IDLE.values()),
                tx.now,
                _SWEEP_MAX,
            )
            await tx.execute(
                """
                INSERT INTO portal_session (id_hash, kind, content, create_time, use_time, end_time)
                VALUES ($1, $2, $3, $4, $4, $5)
                """,
                key,
                login.kind,
                content,
                tx.now,
                tx.now + LIFE,
            )

        await self._run(work)
        return session

    async def find(self, session_id: str, *, touch: bool = True) -> Session | None:
        """The session of a cookie; None where it never was, ended, or was left alone for too long.

        Args:
            session_id: As the cookie names it.
            touch: Whether somebody used it; a page that renews itself uses nothing.
        """
        key = _hash(session_id)

        async def work(tx: Transaction) -> Any:
            return await tx.fetchrow("SELECT * FROM portal_session WHERE id_hash = $1", key), tx.now

        row, now = await self._run(work, read_only=True)
        if row is None or _has_ended(row, now):
            return None
        try:
            content = self._sealer.open(_TABLE, _COLUMN, key.hex(), row["content"])
        except SealBroken:
            return None
        if touch and now - row["use_time"] > TOUCH:
            await self._run(
                lambda tx: tx.execute("UPDATE portal_session SET use_time = $2 WHERE id_hash = $1", key, tx.now)
            )
        stored = orjson.loads(content)
        return Session(session_id, Login(**{**stored, "roles": tuple(stored["roles"])}))

    async def keep(self, session: Session, *, token: str, refresh_token: str, token_end: float) -> Session:
        """The session with fresh tokens."""
        login = replace(session.login, token=token, refresh_token=refresh_token, token_end=token_end)
        key = _hash(session.id)
        content = self._seal(key, login)
        await self._run(
            lambda tx: tx.execute("UPDATE portal_session SET content = $2 WHERE id_hash = $1", key, content)
        )
        return Session(session.id, login)

    async def end(self, session_id: str) -> None:
        """Forget a session."""
        await self._run(lambda tx: tx.execute("DELETE FROM portal_session WHERE id_hash = $1", _hash(session_id)))

    def _seal(self, key: bytes, login: Login) -> bytes:
        return self._sealer.seal(_TABLE, _COLUMN, key.hex(), orjson.dumps(asdict(login)))

    async def _run(self, work: Callable[[Transaction], Awaitable[T]], *, read_only: bool = False) -> T:
        system = Principal.system("portal")
        return await transaction.run(self._database, work, principal=system, today=self._today(), read_only=read_only)


def _has_ended(row: Any, now: datetime) -> bool:
    return bool(row["end_time"] <= now or row["use_time"] + IDLE[row["kind"]] <= now)


def _hash(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode()).digest()
