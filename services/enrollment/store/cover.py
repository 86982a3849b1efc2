"""Covers of flexible workers and residents, and suspensions of covers and enrolments."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.cover import COVER_SCHEMES, Cover, CoverKind, SuspendReason, Suspension
from services.enrollment.register import SCHEME_CODES, EndReason, Person, State, Stretch, Track, Wage
from services.enrollment.store import people

LOOK_UP = """
    SELECT person_id, name_sealed, birth_date, sex, retirement_month, died_on FROM person WHERE person_id = (
        SELECT coalesce(merged_into, person_id) FROM person WHERE id_no_index = $1
    ) FOR UPDATE
"""
ADD_PERSON = """
    INSERT INTO person (person_id, id_no_index, id_no_sealed, name_sealed, phone_sealed, birth_date, sex, division)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id_no_index) DO NOTHING
"""
ADD = """
    WITH new AS (
        INSERT INTO cover (cover_id, person_id, kind, division, track, start_month) VALUES ($1, $2, $3, $4, $5, $6)
    ), chosen AS (
        INSERT INTO cover_base (cover_id, from_month, base_fen) SELECT $1, $6, $9::bigint WHERE $9 IS NOT NULL
    )
    INSERT INTO participation (participation_id, cover_id, person_id, scheme, state, track, start_month)
    VALUES ($7, $1, $2, $8, 'ACTIVE', $5, $6)
"""
LOAD = """
    SELECT cover.*, part.participation_id, part.state FROM cover JOIN participation AS part USING (cover_id)
    WHERE cover_id = ANY($1) ORDER BY cover.start_month DESC, cover_id DESC
"""
END = """
    WITH ended AS (
        UPDATE participation SET state = 'ENDED', end_month = $2, end_reason = $3 WHERE cover_id = $1
    ), closed AS (
        UPDATE suspension SET until_month = greatest($2, from_month) WHERE relation_id = $1 AND until_month IS NULL
    )
    UPDATE cover SET end_month = $2, end_reason = $3 WHERE cover_id = $1
"""


REOPEN = """
    WITH going_on AS (
        UPDATE participation SET state = 'ACTIVE', end_month = NULL, end_reason = NULL WHERE cover_id = $1
    )
    UPDATE cover SET end_month = NULL, end_reason = NULL WHERE cover_id = $1
"""


class Known:
    """A person who stands in the register, locked; shows nothing of the name."""

    __slots__ = ("birth", "is_dead", "is_retired", "name", "person_id", "sex")

    def __init__(self, row: Any, name: str) -> None:
        self.person_id: UUID = row["person_id"]
        self.name = name
        self.birth: date = row["birth_date"]
        self.sex: str = row["sex"]
        self.is_retired: bool = row["retirement_month"] is not None
        self.is_dead: bool = row["died_on"] is not None

    def __repr__(self) -> str:
        return f"Known({self.person_id})"


async def look_up(tx: Transaction, id_no: str) -> Known | None:
    """The person with a number, locked until this commits."""
    sealer = tx.database.sealer
    row = await tx.fetchrow(LOOK_UP, people.id_no_index(sealer, id_no))
    if row is None:
        return None
    return Known(row, people.open_name(sealer, row["person_id"], row["name_sealed"], is_shown=False))


async def add_person(tx: Transaction, person: Person, phone: str) -> bool:
    """Register a person; False when somebody else was faster."""
    sealer = tx.database.sealer
    index, id_no, name = people.seal_identity(sealer, person)
    sealed_phone = people.seal_phone(sealer, person.person_id, phone)
    values = (person.person_id, index, id_no, name, sealed_phone, person.birth_date, person.sex, person.division)
    return await tx.execute(ADD_PERSON, *values) == 1


async def is_replaced(tx: Transaction, id_no: str) -> bool:
    """Whether a number belonged to somebody who has another one now."""
    index = people.id_no_index(tx.database.sealer, id_no)
    return await tx.fetchrow("SELECT 1 FROM former_number WHERE id_no_index = $1", index) is not None


async def is_retired(tx: Transaction, person_id: UUID) -> bool:
    """Whether a person draws a pension."""
    row = await tx.fetchrow("SELECT retirement_month FROM person WHERE person_id = $1", person_id)
    return row is not None and row["retirement_month"] is not None


async def employed(tx: Transaction, person_id: UUID, first: Month, last: Month | None = None) -> Stretch | None:
    """The latest employment that touches the months from one to another, or to all that come."""
    return await _stretch(
        tx, "SELECT start_month, end_month FROM employment WHERE person_id = $1", person_id, first, last
    )


async def covered(tx: Transaction, person_id: UUID, kind: CoverKind, first: Month) -> Stretch | None:
    """The latest cover of a kind that touches the months from one on."""
    query = f"SELECT start_month, end_month FROM cover WHERE kind = '{kind.value}' AND person_id = $1"  # noqa: S608 - a word of ours
    return await _stretch(tx, query, person_id, first, None)


async def add(tx: Transaction, cover: Cover) -> None:
    """Store a cover with its participation and, of a flexible worker, its first base."""
    await tx.execute(
        ADD,
        cover.cover_id,
        cover.person_id,
        cover.kind,
        cover.division,
        cover.track,
        cover.start_month.first_day,
        cover.participation_id,
        SCHEME_CODES[COVER_SCHEMES[cover.kind]],
        cover.bases[0].amount.fen if cover.bases else None,
    )


async def load(tx: Transaction, cover_id: UUID) -> Cover | None:
    """A cover with bases and suspensions."""
    return next(iter(await _complete(tx, [cover_id])), None)


async def load_for_change(tx: Transaction, cover_id: UUID) -> Cover | None:
    """The same, with its person locked: enrolments, bills and refunds of one person come one after the other."""
    found = await tx.fetchrow(
        "SELECT 1 FROM person JOIN cover USING (person_id) WHERE cover_id = $1 FOR UPDATE OF person", cover_id
    )
    return await load(tx, cover_id) if found else None


async def of_person(tx: Transaction, person_id: UUID, *, only_open: bool = False) -> Sequence[Cover]:
    """The covers of a person, newest first."""
    rows = await tx.fetch(
        "SELECT cover_id FROM cover WHERE person_id = $1 AND (NOT $2 OR end_month IS NULL)", person_id, only_open
    )
    return await _complete(tx, [row["cover_id"] for row in rows])


async def with_open_cover(tx: Transaction, person_ids: Sequence[UUID]) -> set[UUID]:
    """Those of some persons who have a cover of their own."""
    rows = await tx.fetch(
        "SELECT DISTINCT person_id FROM cover WHERE person_id = ANY($1) AND end_month IS NULL", list(person_ids)
    )
    return {row["person_id"] for row in rows}


async def declare_base(tx: Transaction, cover_id: UUID, base: Wage) -> None:
    """Store a chosen base; one for the same month replaces it, which only happens before that month is billed."""
    await tx.execute(
        """
        INSERT INTO cover_base (cover_id, from_month, base_fen) VALUES ($1, $2, $3)
        ON CONFLICT (cover_id, from_month) DO UPDATE SET base_fen = excluded.base_fen
        """,
        cover_id,
        base.from_month.first_day,
        base.amount.fen,
    )


async def end(tx: Transaction, cover_id: UUID, month: Month, reason: EndReason) -> None:
    """End a cover with its participation; a suspension that goes on ends with it."""
    await tx.execute(END, cover_id, month.first_day, reason)


async def last_billed(tx: Transaction, relation_id: UUID) -> Month | None:
    """The last month of an enrolment or cover that stands on a bill and was not refunded."""
    row = await tx.fetchrow(
        """
        SELECT max(month) AS month FROM bill_line WHERE enrollment_id = $1 AND refund_id IS NULL AND person_id IN (
            SELECT person_id FROM cover WHERE cover_id = $1
            UNION ALL SELECT person_id FROM employment WHERE enrollment_id = $1
        )
        """,
        relation_id,
    )
    return Month.of(row["month"]) if row and row["month"] else None


async def suspend(tx: Transaction, relation_id: UUID, month: Month, reason: SuspendReason) -> None:
    """Note that a relation rests from a month on."""
    await tx.execute(
        "INSERT INTO suspension (relation_id, from_month, reason) VALUES ($1, $2, $3)",
        relation_id,
        month.first_day,
        reason,
    )
    await _state(tx, relation_id, State.SUSPENDED)


async def resume(tx: Transaction, relation_id: UUID, month: Month) -> None:
    """Note that a relation goes on with a month."""
    await tx.execute(
        "UPDATE suspension SET until_month = $2 WHERE relation_id = $1 AND until_month IS NULL",
        relation_id,
        month.previous.first_day,
    )
    await _state(tx, relation_id, State.ACTIVE)


async def reopen(tx: Transaction, cover_id: UUID) -> None:
    """Let an ended cover go on."""
    await tx.execute(REOPEN, cover_id)


async def suspended_from(tx: Transaction, relation_id: UUID) -> Month | None:
    """The first month of the suspension that goes on."""
    row = await tx.fetchrow(
        "SELECT from_month FROM suspension WHERE relation_id = $1 AND until_month IS NULL", relation_id
    )
    return Month.of(row["from_month"]) if row else None


async def last_suspended(tx: Transaction, relation_id: UUID) -> Month | None:
    """The last month of any suspension that is over."""
    row = await tx.fetchrow("SELECT max(until_month) AS month FROM suspension WHERE relation_id = $1", relation_id)
    return Month.of(row["month"]) if row and row["month"] else None


async def _state(tx: Transaction, relation_id: UUID, state: State) -> None:
    await tx.execute(
        "UPDATE participation SET state = $2 WHERE (enrollment_id = $1 OR cover_id = $1) AND state <> 'ENDED'",
        relation_id,
        state,
    )


async def _stretch(tx: Transaction, query: str, person_id: UUID, first: Month, last: Month | None) -> Stretch | None:
    row = await tx.fetchrow(
        f"""{query} AND (end_month IS NULL OR end_month >= $2) AND ($3::date IS NULL OR start_month <= $3)
        ORDER BY start_month DESC LIMIT 1""",
        person_id,
        first.first_day,
        last.first_day if last else None,
    )
    return Stretch(Month.of(row["start_month"]), _month(row["end_month"])) if row else None


async def _complete(tx: Transaction, cover_ids: Sequence[UUID]) -> Sequence[Cover]:
    if not cover_ids:
        return []
    wanted = list(cover_ids)
    bases = await tx.fetch("SELECT * FROM cover_base WHERE cover_id = ANY($1) ORDER BY from_month DESC", wanted)
    rests = await tx.fetch("SELECT * FROM suspension WHERE relation_id = ANY($1) ORDER BY from_month DESC", wanted)
    return [
        Cover(
            cover_id=row["cover_id"],
            person_id=row["person_id"],
            participation_id=row["participation_id"],
            kind=CoverKind(row["kind"]),
            division=row["division"],
            track=Track(row["track"]) if row["track"] else None,
            start_month=Month.of(row["start_month"]),
            end_month=_month(row["end_month"]),
            end_reason=EndReason(row["end_reason"]) if row["end_reason"] else None,
            state=State(row["state"]),
            bases=[
                Wage(Month.of(one["from_month"]), Money(one["base_fen"]))
                for one in bases
                if one["cover_id"] == row["cover_id"]
            ],
            suspensions=[
                Suspension(Month.of(one["from_month"]), _month(one["until_month"]))
                for one in rests
                if one["relation_id"] == row["cover_id"]
            ],
        )
        for row in await tx.fetch(LOAD, wanted)
    ]


def source_of(prefix: str, value: UUID) -> str:
    """Where an entry comes from, for example ``refund:rfd_…``."""
    kinds = {"rfd": "refund", "rpy": "payment", "bil": "bill"}
    return f"{kinds[prefix]}:{ids.to_text(prefix, value)}"


def _month(day: date | None) -> Month | None:
    return None if day is None else Month.of(day)
