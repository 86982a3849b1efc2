"""The history of persons, deaths, requests that wait for a second person, and records that look like one person."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.money import Money
from services.enrollment.persons import (
    BEGINNING,
    Cause,
    Death,
    DeathSource,
    DuplicateReason,
    Facts,
    Request,
    RequestKind,
    RequestState,
    Segment,
    Version,
)
from services.enrollment.register import Person
from services.enrollment.store import people

TABLE = "person_version"  # part of what a sealed value is bound to; never rename
REQUESTS = "person_request"


async def forward(tx: Transaction, person_id: UUID) -> UUID | None:
    """The record that stands for an id: its own, or the survivor of its merger; None when nobody is known."""
    row = await tx.fetchrow("SELECT coalesce(merged_into, person_id) AS id FROM person WHERE person_id = $1", person_id)
    return row["id"] if row else None


async def merged_into(tx: Transaction, person_id: UUID) -> UUID | None:
    """The survivor that a record went up in; None for one that stands by itself."""
    row = await tx.fetchrow("SELECT merged_into FROM person WHERE person_id = $1", person_id)
    return row["merged_into"] if row else None


async def lock(tx: Transaction, person_id: UUID) -> tuple[Facts, date | None, datetime] | None:
    """A record, locked: what is true of it now, the day of death, and when it was registered."""
    row = await tx.fetchrow(
        """
        SELECT name_sealed, id_no_sealed, phone_sealed, sex, birth_date, division, died_on, created
        FROM person WHERE person_id = $1 FOR UPDATE
        """,
        person_id,
    )
    if row is None:
        return None
    facts = _facts(tx, people.TABLE, person_id, row)
    return facts, row["died_on"], row["created"]


async def versions(tx: Transaction, person_id: UUID) -> Sequence[Version]:
    """Everything that the register ever said of a person, by day and by knowledge.

    A record that never changed has no rows of its own: it was always as it is.
    """
    rows = await tx.fetch(
        "SELECT * FROM person_version WHERE person_id = $1 ORDER BY recorded, valid_from, version_id", person_id
    )
    if rows:
        return [_version(tx, row) for row in rows]
    found = await tx.fetchrow(
        """
        SELECT name_sealed, id_no_sealed, phone_sealed, sex, birth_date, division, created
        FROM person WHERE person_id = $1
        """,
        person_id,
    )
    if found is None:
        return []
    facts = _facts(tx, people.TABLE, person_id, found)
    return [Version(Segment(BEGINNING, None, facts), found["created"], None, Cause.REGISTERED, "")]


async def rewrite(
    tx: Transaction,
    person_id: UUID,
    known: Sequence[Version],
    segments: Sequence[Segment],
    *,
    cause: Cause,
    evidence: str,
) -> None:
    """Let new knowledge take the place of what was known; segments that stay the same stay as they were recorded."""
    current = [one for one in known if one.superseded is None]
    if len(known) == 1 and known[0].cause is Cause.REGISTERED:
        await _add(tx, person_id, current, recorded=known[0].recorded, cause=Cause.REGISTERED, evidence="")
    kept = [one.segment for one in current if one.segment in segments]
    gone = [one.segment.valid_from for one in current if one.segment not in segments]
    await tx.execute(
        """
        UPDATE person_version SET superseded = $3
        WHERE person_id = $1 AND superseded IS NULL AND valid_from = ANY($2::date[])
        """,
        person_id,
        gone,
        tx.now,
    )
    new = [Version(one, tx.now, None, cause, evidence) for one in segments if one not in kept]
    await _add(tx, person_id, new, recorded=tx.now, cause=cause, evidence=evidence)


async def _add(
    tx: Transaction, person_id: UUID, versions_: Sequence[Version], *, recorded: datetime, cause: Cause, evidence: str
) -> None:
    sealer = tx.database.sealer
    for one in versions_:
        facts, version_id = one.segment.facts, ids.new_id()
        await tx.execute(
            """
            INSERT INTO person_version (version_id, person_id, valid_from, valid_to, recorded, cause, evidence,
                name_sealed, id_no_sealed, phone_sealed, birth_date, sex, division)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            version_id,
            person_id,
            one.segment.valid_from,
            one.segment.valid_to,
            recorded,
            cause,
            evidence,
            sealer.seal(TABLE, "name", version_id, facts.name),
            sealer.seal(TABLE, "id_no", version_id, facts.id_no),
            sealer.seal(TABLE, "phone", version_id, facts.phone) if facts.phone else None,
            facts.birth_date,
            facts.sex,
            facts.division,
        )


async def save(tx: Transaction, person_id: UUID, facts: Facts) -> None:
    """Write what is true of a person now. A number that is another's breaks person_id_no_index_key."""
    sealer = tx.database.sealer
    await tx.execute(
        """
        UPDATE person SET id_no_index = $2, id_no_sealed = $3, name_sealed = $4, phone_sealed = $5, birth_date = $6,
            sex = $7, division = $8
        WHERE person_id = $1
        """,
        person_id,
        people.id_no_index(sealer, facts.id_no),
        sealer.seal(people.TABLE, "id_no", person_id, facts.id_no),
        sealer.seal(people.TABLE, "name", person_id, facts.name),
        people.seal_phone(sealer, person_id, facts.phone),
        facts.birth_date,
        facts.sex,
        facts.division,
    )


async def is_taken(tx: Transaction, id_no: str, person_id: UUID) -> bool:
    """Whether a number belongs, or belonged, to another record."""
    row = await tx.fetchrow(
        """
        SELECT 1 FROM person WHERE id_no_index = $1 AND person_id <> $2
        UNION ALL SELECT 1 FROM former_number WHERE id_no_index = $1 AND person_id <> $2
        """,
        people.id_no_index(tx.database.sealer, id_no),
        person_id,
    )
    return row is not None


async def keep_former(tx: Transaction, id_no: str, person_id: UUID) -> None:
    """Note that a number was replaced: it registers nobody any more."""
    await tx.execute(
        """
        INSERT INTO former_number (id_no_index, person_id) VALUES ($1, $2)
        ON CONFLICT (id_no_index) DO UPDATE SET person_id = excluded.person_id
        """,
        people.id_no_index(tx.database.sealer, id_no),
        person_id,
    )


# -- requests that wait for a second person


async def add_request(
    tx: Transaction,
    request_id: UUID,
    *,
    person_id: UUID,
    kind: RequestKind,
    evidence: str,
    payload: bytes | None,
    approval_id: UUID | None,
    other_id: UUID | None = None,
) -> Request:
    """Store a request; one without a payload took effect at once."""
    state = RequestState.WAITING if payload is not None else RequestState.DONE
    await tx.execute(
        """
        INSERT INTO person_request
            (request_id, person_id, other_id, kind, state, payload_sealed, approval_id, evidence, created, decided)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        request_id,
        person_id,
        other_id,
        kind,
        state,
        None if payload is None else tx.database.sealer.seal(REQUESTS, "payload", request_id, payload),
        approval_id,
        evidence,
        tx.now,
        None if payload is not None else tx.now,
    )
    return Request(request_id, person_id, kind, state, other_id, evidence, tx.now)


async def lock_request(tx: Transaction, request_id: UUID) -> tuple[Request, bytes | None, UUID | None] | None:
    """A request, locked, with what will be done and its approval."""
    row = await tx.fetchrow("SELECT * FROM person_request WHERE request_id = $1 FOR UPDATE", request_id)
    if row is None:
        return None
    sealed = row["payload_sealed"]
    payload = None if sealed is None else tx.database.sealer.open(REQUESTS, "payload", request_id, sealed)
    return _request(row), payload, row["approval_id"]


async def close_request(tx: Transaction, request_id: UUID, state: RequestState) -> None:
    """A request was decided; what it said of a person is not kept beside the history."""
    await tx.execute(
        "UPDATE person_request SET state = $2, payload_sealed = NULL, decided = $3 WHERE request_id = $1",
        request_id,
        state,
        tx.now,
    )


async def waiting(tx: Transaction, after: UUID | None, limit: int) -> Sequence[Request]:
    """Requests that wait, oldest first."""
    rows = await tx.fetch(
        """
        SELECT * FROM person_request WHERE state = 'WAITING' AND ($1::uuid IS NULL OR request_id > $1)
        ORDER BY request_id LIMIT $2
        """,
        after,
        limit,
    )
    return [_request(row) for row in rows]


# -- deaths


async def death(tx: Transaction, person_id: UUID) -> Death | None:
    """The death that the register knows of."""
    row = await tx.fetchrow("SELECT * FROM death WHERE person_id = $1 AND superseded IS NULL", person_id)
    if row is None or row["death_date"] is None:
        return None
    return Death(row["death_date"], DeathSource(row["source"]), row["evidence"])


async def save_death(
    tx: Transaction, person_id: UUID, day: date | None, source: DeathSource | None, evidence: str
) -> None:
    """Write a death, a corrected day, or that nobody died, and where the account stands because of it."""
    await tx.execute("UPDATE death SET superseded = $2 WHERE person_id = $1 AND superseded IS NULL", person_id, tx.now)
    await tx.execute(
        """
        INSERT INTO death (death_id, person_id, death_date, source, evidence, recorded)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        ids.new_id(),
        person_id,
        day,
        source,
        evidence,
        tx.now,
    )
    await tx.execute("UPDATE person SET died_on = $2 WHERE person_id = $1", person_id, day)
    await tx.execute(
        """
        INSERT INTO inheritance (person_id, state, since)
        SELECT person_id, $2, $3 FROM account WHERE person_id = $1
        ON CONFLICT (person_id) DO UPDATE SET state = excluded.state, since = excluded.since
        """,
        person_id,
        "PENDING" if day else "WITHDRAWN",
        day or tx.today,
    )


async def inheritance(tx: Transaction, person_id: UUID) -> tuple[bool, Money]:
    """Whether the balance of an account waits for the heirs, and the balance."""
    row = await tx.fetchrow(
        """
        SELECT coalesce(state = 'PENDING', false) AS pending, balance_fen
        FROM account LEFT JOIN inheritance USING (person_id) WHERE person_id = $1
        """,
        person_id,
    )
    return (row["pending"], Money(row["balance_fen"])) if row else (False, Money.ZERO)


async def billed_after(tx: Transaction, person_id: UUID, month: date) -> Sequence[date]:
    """Months after one that stand on bills of a person."""
    rows = await tx.fetch(
        "SELECT month FROM bill_line WHERE person_id = $1 AND month > $2 ORDER BY month", person_id, month
    )
    return [row["month"] for row in rows]


# -- duplicates


async def save_duplicates(tx: Transaction, pairs: Sequence[tuple[UUID, UUID, DuplicateReason]]) -> int:
    """Write pairs that look like one person; those that were seen before stay as they were decided."""
    ordered = [(min(one, other), max(one, other), reason) for one, other, reason in pairs]
    return await tx.execute(
        """
        INSERT INTO duplicate (one_id, other_id, reason, state, found)
        SELECT one, other, reason, 'OPEN', $4
        FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS pair (one, other, reason)
        ON CONFLICT DO NOTHING
        """,
        [one for one, _, _ in ordered],
        [other for _, other, _ in ordered],
        [reason for _, _, reason in ordered],
        tx.now,
    )


async def births(tx: Transaction) -> tuple[int, int] | None:
    """First and last year of birth in the register."""
    row = await tx.fetchrow(
        "SELECT extract(year FROM min(birth_date))::int AS a, extract(year FROM max(birth_date))::int AS b FROM person"
    )
    return (row["a"], row["b"]) if row and row["a"] is not None else None


async def alike(tx: Transaction, first: date, until: date) -> Sequence[tuple[UUID, Facts]]:
    """Records that are born on one day and have the same sex as another one, opened, by birth."""
    rows = await tx.fetch(
        """
        SELECT person_id, name_sealed, id_no_sealed, phone_sealed, sex, birth_date, division FROM (
            SELECT *, count(*) OVER (PARTITION BY birth_date, sex) AS same FROM person
            WHERE birth_date >= $1 AND birth_date < $2 AND merged_into IS NULL
        ) AS counted WHERE same > 1 ORDER BY birth_date, sex, person_id
        """,
        first,
        until,
    )
    return [(row["person_id"], _facts(tx, people.TABLE, row["person_id"], row)) for row in rows]


async def open_duplicates(
    tx: Transaction, after: tuple[UUID, UUID] | None, limit: int
) -> Sequence[tuple[Person, Person, DuplicateReason]]:
    """Pairs that nobody decided yet."""
    one, other = after or (None, None)
    rows = await tx.fetch(
        """
        SELECT one_id, other_id, reason FROM duplicate
        WHERE state = 'OPEN' AND ($1::uuid IS NULL OR (one_id, other_id) > ($1, $2)) ORDER BY one_id, other_id LIMIT $3
        """,
        one,
        other,
        limit,
    )
    pairs = []
    for row in rows:
        pair = [await people.person(tx, row["one_id"]), await people.person(tx, row["other_id"])]
        assert pair[0] is not None
        assert pair[1] is not None
        pairs.append((pair[0], pair[1], DuplicateReason(row["reason"])))
    return pairs


async def decide_duplicate(tx: Transaction, one: UUID, other: UUID, state: str, evidence: str) -> bool:
    """Note what became of a pair; False when there is none."""
    done = await tx.execute(
        "UPDATE duplicate SET state = $3, evidence = $4 WHERE one_id = $1 AND other_id = $2",
        min(one, other),
        max(one, other),
        state,
        evidence,
    )
    return done > 0


def _version(tx: Transaction, row: Any) -> Version:
    return Version(
        Segment(row["valid_from"], row["valid_to"], _facts(tx, TABLE, row["version_id"], row, of=row["person_id"])),
        row["recorded"],
        row["superseded"],
        Cause(row["cause"]),
        row["evidence"],
    )


def _facts(tx: Transaction, table: str, row_id: UUID, row: Any, *, of: UUID | None = None) -> Facts:
    sealer = tx.database.sealer
    return Facts(
        name=sealer.open_text(table, "name", row_id, row["name_sealed"], of=of),
        id_no=sealer.open_text(table, "id_no", row_id, row["id_no_sealed"], of=of),
        sex="male" if row["sex"] == "male" else "female",
        birth_date=row["birth_date"],
        division=row["division"],
        phone=sealer.open_text(table, "phone", row_id, row["phone_sealed"], of=of) if row["phone_sealed"] else "",
    )


def _request(row: Any) -> Request:
    return Request(
        row["request_id"],
        row["person_id"],
        RequestKind(row["kind"]),
        RequestState(row["state"]),
        row["other_id"],
        row["evidence"],
        row["created"],
    )


def to_payload(values: dict[str, Any]) -> bytes:
    """The canonical form of what will be done."""
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
