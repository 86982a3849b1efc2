"""Bindings of cards to the server and to devices, the places of status lists, and the lists as published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel import ids
from services.card.status import FILL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction

SERVER, OWN, DELEGATE = "server", "own", "delegate"
NEW_LIST = 0x6C697374  # one transaction at a time begins a list


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a card can be shown from."""

    binding_id: UUID
    card_id: UUID
    role: str
    device_key: bytes | None
    reference: bytes
    list_no: int
    index: int
    cred_exp: int | None
    is_live: bool
    delegation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """Numbers of a list that are somebody's alone: its wrapped key turns them into places."""

    list_no: int
    key_wrapped: bytes
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Published:
    """A list as it was published."""

    list_no: int
    iat: int
    packed: bytes
    cwt: bytes
    jwt: str
    sequence: int


_READ = """
SELECT binding_id, card_id, role, device_key, reference, list_no, idx, cred_exp, delegation_id, state FROM binding
"""


async def lease(tx: Transaction, count: int, make_key: Callable[[int], bytes]) -> Lease:
    """Lease numbers of the list that is being filled; a full list is followed by a new one.

    Args:
        tx: The transaction; it should hold nothing else.
        count: How many at most.
        make_key: Makes the wrapped key of the list with this number.
    """
    query = """
        UPDATE status_list SET next = least(status_list.next + $1, $2) FROM (
          SELECT list_no, next FROM status_list WHERE next < $2 ORDER BY list_no LIMIT 1 FOR UPDATE
        ) AS before WHERE status_list.list_no = before.list_no
        RETURNING status_list.list_no, key_wrapped, before.next AS first, status_list.next - before.next AS count
    """
    row = await tx.fetchrow(query, count, FILL)
    if row is None:
        await tx.execute("SELECT pg_advisory_xact_lock($1)", NEW_LIST)
        row = await tx.fetchrow(query, count, FILL)
    if row is None:
        found = await tx.fetchrow("SELECT coalesce(max(list_no), 0) + 1 AS list_no FROM status_list")
        assert found is not None
        number = found["list_no"]
        await tx.execute("INSERT INTO status_list (list_no, key_wrapped) VALUES ($1, $2)", number, make_key(number))
        row = await tx.fetchrow(query, count, FILL)
    assert row is not None
    return Lease(row["list_no"], row["key_wrapped"], row["first"], row["count"])


async def add(tx: Transaction, binding: Binding) -> None:
    """Bind."""
    await tx.execute(
        """
        INSERT INTO binding (binding_id, card_id, role, device_key, reference, list_no, idx, cred_exp, state, status,
                             bound_date, delegation_id)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'live', status_of(card.state), $9, $10 FROM card WHERE card_id = $2
        """,
        binding.binding_id,
        binding.card_id,
        binding.role,
        binding.device_key,
        binding.reference,
        binding.list_no,
        binding.index,
        binding.cred_exp,
        tx.today,
        binding.delegation_id,
    )


async def unplaced(tx: Transaction, job_kind: str) -> int:
    """How many cards wait for their first place; none, while a job of that kind is at it."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", NEW_LIST)
    row = await tx.fetchrow(
        """
        SELECT count(*) AS count FROM card_unplaced
        WHERE NOT EXISTS (SELECT 1 FROM job WHERE kind = $1 AND state IN ('QUEUED', 'RUNNING', 'PAUSED'))
        """,
        job_kind,
    )
    assert row is not None
    return int(row["count"])


async def take_unplaced(tx: Transaction, limit: int) -> Sequence[UUID]:
    """The next cards that wait for their first place, locked; nobody else finds them any more."""
    rows = await tx.fetch(
        """
        WITH taken AS (
          DELETE FROM card_unplaced WHERE card_id IN (
            SELECT card_id FROM card_unplaced ORDER BY card_id LIMIT $1 FOR UPDATE SKIP LOCKED
          ) RETURNING card_id
        )
        SELECT card_id FROM card WHERE card_id IN (SELECT card_id FROM taken) ORDER BY card_id FOR NO KEY UPDATE
        """,
        limit,
    )
    return [row["card_id"] for row in rows]


async def place(tx: Transaction, cards: Sequence[UUID], places: Sequence[tuple[int, int]]) -> int:
    """Give cards that are locked their first place; those that are over by now need none. How many got one."""
    return await tx.execute(
        """
        INSERT INTO binding (binding_id, card_id, role, reference, list_no, idx, state, status, bound_date)
        SELECT place.binding_id, card_id, 'server', card.reference, list_no, idx, 'live', status_of(card.state), $5
        FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[]) AS place (card_id, binding_id, list_no, idx)
        JOIN card USING (card_id)
        WHERE status_of(card.state) <> 1
          AND NOT EXISTS (SELECT 1 FROM binding AS old WHERE old.card_id = card.card_id AND old.role = 'server')
        """,
        list(cards),
        [ids.new_id() for _ in cards],
        [list_no for list_no, _ in places],
        [index for _, index in places],
        tx.today,
    )


async def by_reference(tx: Transaction, reference: bytes) -> Binding | None:
    """The binding to a device that a credential refers to."""
    rows = await tx.fetch(_READ + "WHERE reference = $1 AND role <> 'server'", reference)
    return _binding(rows[0]) if rows else None


async def devices(tx: Transaction, card_id: UUID) -> Sequence[Binding]:
    """The devices that a card is bound to now, oldest first."""
    rows = await tx.fetch(_READ + "WHERE card_id = $1 AND role <> 'server' AND state = 'live' ORDER BY 1", card_id)
    return [_binding(row) for row in rows]


async def of_delegation(tx: Transaction, delegation_id: UUID) -> Sequence[Binding]:
    """The devices that a delegate has bound to the card of the ward, oldest first; not those of a card that is over."""
    query = _READ + "WHERE delegation_id = $1 AND state = 'live' AND status <> 1 ORDER BY 1"
    rows = await tx.fetch(query, delegation_id)
    return [_binding(row) for row in rows]


async def withdraw(tx: Transaction, binding_id: UUID) -> bool:
    """End a binding for ever; its place says so. False when it is over already."""
    query = "UPDATE binding SET state = 'withdrawn', status = 1 WHERE binding_id = $1 AND state = 'live'"
    return bool(await tx.execute(query, binding_id))


async def lists(tx: Transaction) -> list[int]:
    """The numbers of all lists."""
    return [row["list_no"] for row in await tx.fetch("SELECT list_no FROM status_list ORDER BY list_no")]


async def not_valid(tx: Transaction, list_no: int) -> tuple[list[int], list[int]]:
    """The places of a list that do not say valid, and what they say."""
    row = await tx.fetchrow(
        """
        SELECT coalesce(array_agg(idx), '{}') AS places, coalesce(array_agg(status), '{}') AS statuses
        FROM binding WHERE list_no = $1 AND status <> 0
        """,
        list_no,
    )
    assert row is not None
    return row["places"], row["statuses"]


async def published(tx: Transaction, list_no: int) -> Published | None:
    """A list as it was published last."""
    query = "SELECT list_no, iat, packed, cwt, jwt, sequence FROM published_list WHERE list_no = $1"
    row = await tx.fetchrow(query, list_no)
    return Published(**dict(row)) if row is not None else None


async def publish(tx: Transaction, made: Published) -> None:
    """Publish a list in place of the one before."""
    await tx.execute(
        """
        INSERT INTO published_list (list_no, iat, packed, cwt, jwt, sequence) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (list_no) DO UPDATE SET iat = excluded.iat, packed = excluded.packed, cwt = excluded.cwt,
          jwt = excluded.jwt, sequence = excluded.sequence
        """,
        made.list_no,
        made.iat,
        made.packed,
        made.cwt,
        made.jwt,
        made.sequence,
    )


async def add_delta(tx: Transaction, list_no: int, sequence: int, iat: int, body: bytes) -> None:
    """Keep what changed from the list before to this one."""
    query = "INSERT INTO status_delta (list_no, sequence, iat, body) VALUES ($1, $2, $3, $4)"
    await tx.execute(query, list_no, sequence, iat, body)


async def deltas(tx: Transaction, list_no: int, after: int, limit: int) -> list[bytes]:
    """The signed changes after a sequence, in order."""
    query = "SELECT body FROM status_delta WHERE list_no = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"
    return [row["body"] for row in await tx.fetch(query, list_no, after, limit)]


def text(binding_id: UUID) -> str:
    """The id of a binding as it is shown."""
    return ids.to_text("dev", binding_id)


def _binding(row: Record) -> Binding:
    *values, delegation_id, state = row
    return Binding(*values, is_live=state == "live", delegation_id=delegation_id)  # type: ignore[misc] # as in _READ
