"""Certifications, suspensions and payees of benefits, a whole set at a time; one benefit is a set of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kernel import ids
from kernel.calendar import Month
from services.benefits.keeping import FORFEITS, SuspendReason, needing
from services.benefits.lifecycle import Kind
from services.benefits.store import paying

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction
    from services.benefits.domain.certification import CertificationTerms
    from services.benefits.keeping import Certify
    from services.benefits.store.rows import BenefitRow

# First months as days: $1 the first month that is held back without a later success, as months after the last success.
_OVERDUE = (
    "state = 'ACTIVE' AND kind = ANY($1::text[]) AND last_date < $2::date AND (last_month IS NULL OR $3 <= last_month)"
)
_DUE_BY = "(date_trunc('month', last_date) + make_interval(months => $2 + 1))::date - 1"


@dataclass(frozen=True, slots=True)
class Held:
    """A benefit that is held back or paid again from a month on."""

    benefit_id: UUID
    person_id: UUID
    kind: Kind
    from_month: Month


@dataclass(frozen=True, slots=True)
class Due:
    """A beneficiary whose certification is asked for, or overdue, without a word about who it is."""

    benefit_id: UUID
    person_id: UUID
    kind: Kind
    last_date: date
    due_by: date
    suspended_from: Month | None
    is_certified: bool


# Certification ------------------------------------------------------------------------------------------------------


async def add_certifications(tx: Transaction, made: Sequence[Certify], recorded_by: str) -> set[tuple[UUID, str]]:
    """Write successes that are new, and move the standing of their beneficiaries; who they are.

    The same evidence of the same source again is nothing new. The benefits must be locked: whoever holds them back
    looks at the standing under the same locks.
    """
    rows = await tx.fetch(
        """
        INSERT INTO certification (certification_id, person_id, share, source, certified_date, evidence, simulated,
                                   recorded_by, business_date)
        SELECT certification_id, person_id, share, source, day, evidence, simulated, $8, $9
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::date[], $6::text[], $7::boolean[])
          AS one (certification_id, person_id, share, source, day, evidence, simulated)
        ON CONFLICT ON CONSTRAINT certification_once DO NOTHING RETURNING person_id, share, certified_date
        """,
        [ids.new_id() for _ in made],
        [one.person_id for one in made],
        [one.share for one in made],
        [one.source.value for one in made],
        [one.certified_date for one in made],
        [one.evidence for one in made],
        [one.simulated for one in made],
        recorded_by,
        tx.today,
    )
    await tx.execute(
        """
        INSERT INTO certification_standing (person_id, share, last_date)
        SELECT coalesce(survivor_id, one.person_id), share, max(day)
        FROM unnest($1::uuid[], $2::text[], $3::date[]) AS one (person_id, share, day)
        LEFT JOIN forward ON forward.person_id = one.person_id GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (person_id, share) DO UPDATE
        SET last_date = greatest(certification_standing.last_date, excluded.last_date)
        """,
        [row["person_id"] for row in rows],
        [row["share"] for row in rows],
        [row["certified_date"] for row in rows],
    )
    return {(row["person_id"], row["share"]) for row in rows}


async def same_persons(tx: Transaction, person_ids: Iterable[UUID]) -> Sequence[UUID]:
    """All ids of some persons, merged records included, in order."""
    rows = await tx.fetch(
        "SELECT DISTINCT unnest(same_person(id)) AS id FROM unnest($1::uuid[]) AS one (id) ORDER BY id",
        sorted(set(person_ids)),
    )
    return [row["id"] for row in rows]


async def known_persons(tx: Transaction, person_ids: Iterable[UUID]) -> set[UUID]:
    """Those of some ids that enrollment has announced."""
    rows = await tx.fetch("SELECT person_id FROM person WHERE person_id = ANY($1::uuid[])", list(person_ids))
    return {row["person_id"] for row in rows}


async def join_standing(tx: Transaction, person_ids: Iterable[UUID]) -> None:
    """Records went up in others: what certified the one certifies the other."""
    await tx.execute(
        """
        INSERT INTO certification_standing (person_id, share, last_date)
        SELECT survivor_id, share, max(last_date) FROM certification_standing JOIN forward USING (person_id)
        WHERE person_id = ANY($1::uuid[]) GROUP BY survivor_id, share ORDER BY 1, 2
        ON CONFLICT (person_id, share) DO UPDATE
        SET last_date = greatest(certification_standing.last_date, excluded.last_date)
        """,
        list(person_ids),
    )


async def certifications(tx: Transaction, person_id: UUID, limit: int) -> Sequence[Record]:
    """The last certifications of a person, newest first."""
    return await tx.fetch(
        """
        SELECT certification_id, share, source, certified_date, evidence, simulated FROM certification
        WHERE person_id = ANY(same_person($1)) ORDER BY certified_date DESC, certification_id DESC LIMIT $2
        """,
        person_id,
        limit,
    )


async def standing(tx: Transaction, person_id: UUID, schemes: tuple[str, ...]) -> Sequence[Record]:
    """The running benefits of a person that need a certification, each with the last success."""
    return await tx.fetch(
        """
        SELECT benefit_id, kind, state, last_date, is_certified, suspended_from, suspend_reason FROM certified
        WHERE person_id = ANY(same_person($1)) AND kind = ANY($2::text[]) ORDER BY benefit_id
        """,
        person_id,
        needing(schemes),
    )


async def suspended_overdue(tx: Transaction, person_ids: Iterable[UUID], before: date) -> Sequence[UUID]:
    """Benefits of some persons held back for want of a certification that is there by now, in the order of ids.

    Args:
        tx: The transaction.
        person_ids: Whose.
        before: A last success from this day on is good today.
    """
    rows = await tx.fetch(
        """
        SELECT benefit_id FROM certified
        WHERE person_id = ANY($1::uuid[]) AND state = 'SUSPENDED' AND suspend_reason = 'CERTIFICATION_OVERDUE'
          AND last_date >= $2 ORDER BY benefit_id
        """,
        list(person_ids),
        before,
    )
    return [row["benefit_id"] for row in rows]


async def overdue_boundaries(
    tx: Transaction, schemes: tuple[str, ...], before: date, month: Month, size: int
) -> list[tuple[UUID, int]]:
    """Ids that end runs of `size` overdue benefits, ascending, with how many each run has."""
    rows = await tx.fetch(
        f"""
        SELECT benefit_id, place - coalesce(lag(place) OVER (ORDER BY place), 0) AS count FROM (
          SELECT benefit_id, row_number() OVER (ORDER BY benefit_id) AS place, count(*) OVER () AS total
          FROM certified WHERE {_OVERDUE}
        ) AS numbered WHERE place % $4 = 0 OR place = total ORDER BY benefit_id
        """,  # noqa: S608 - a constant condition
        needing(schemes),
        before,
        month.first_day,
        size,
    )
    return [(row["benefit_id"], row["count"]) for row in rows]


async def lock_overdue(
    tx: Transaction, schemes: tuple[str, ...], before: date, month: Month, *, after: UUID | None, last: UUID
) -> Sequence[Record]:
    """The overdue benefits of a run with their last success, locked.

    Two statements: the first waits for whoever certifies one of them, the second sees what they wrote. A certification
    that comes just before therefore wins, and one that comes just after finds the benefit held back.
    """
    kinds = needing(schemes)
    found = await tx.fetch(
        f"""
        SELECT benefit_id FROM certified
        WHERE {_OVERDUE} AND benefit_id <= $4 AND ($5::uuid IS NULL OR benefit_id > $5)
        """,  # noqa: S608 - a constant condition
        kinds,
        before,
        month.first_day,
        last,
        after,
    )
    keys = [row["benefit_id"] for row in found]
    await lock_benefits(tx, keys)
    return await tx.fetch(
        f"""
        SELECT benefit_id, last_date FROM certified
        WHERE {_OVERDUE} AND benefit_id = ANY($4::uuid[]) ORDER BY benefit_id
        """,  # noqa: S608 - a constant condition
        kinds,
        before,
        month.first_day,
        keys,
    )


async def due_page(
    tx: Transaction,
    schemes: tuple[str, ...],
    terms: CertificationTerms,
    today: date,
    standing_: str,
    *,
    after: UUID | None,
    limit: int,
) -> Sequence[Due]:
    """Who is being reminded (REMINDED), past the due day and still paid (OVERDUE), or held back for it (SUSPENDED).

    The next benefits often fill a page. Where they do not, all are read at once, in the order in which the tables
    stand: one after the other by their keys they would cost six times as much.
    """
    due_from, reminded_until = window(terms, today)
    where, running = "state = 'SUSPENDED' AND suspend_reason = 'CERTIFICATION_OVERDUE'", ""
    if standing_ != "SUSPENDED":
        where = "state = 'ACTIVE' AND last_date < $4::date AND ($3::date IS NULL OR last_date >= $3)"
        running = "state <> 'ENDED'"
    next_ones = f"""AND benefit_id = ANY (ARRAY(
        SELECT benefit_id FROM benefit AS one WHERE {running or where} AND ($5::uuid IS NULL OR one.benefit_id > $5)
        ORDER BY benefit_id LIMIT 1000))"""  # noqa: S608 - constants
    days = {"SUSPENDED": (None, None), "OVERDUE": (None, due_from)}.get(standing_, (due_from, reminded_until))
    rows: Sequence[Record] = []
    for some in (next_ones, ""):
        rows = await tx.fetch(
            f"""
            SELECT *, {_DUE_BY} AS due_by FROM (
              SELECT * FROM certified
              WHERE kind = ANY($1::text[]) AND {where} AND ($5::uuid IS NULL OR benefit_id > $5) {some} OFFSET 0
            ) AS known
            WHERE $3::date IS NULL OR $4::date IS NOT NULL  -- the two days stand in every form of the question
            ORDER BY benefit_id LIMIT $6
            """,  # noqa: S608 - constant expressions
            needing(schemes),
            terms.cycle_months.value,
            *days,
            after,
            limit,
        )
        if len(rows) >= limit:
            break
    return [
        Due(
            row["benefit_id"],
            row["person_id"],
            Kind(row["kind"]),
            row["last_date"],
            row["due_by"],
            Month.of(row["suspended_from"]) if row["suspended_from"] else None,
            row["is_certified"],
        )
        for row in rows
    ]


def window(terms: CertificationTerms, today: date) -> tuple[date, date]:
    """Last successes from the first of these days on are not overdue; before the second one they are reminded of.

    The due day is the last one of a month, `cycle` months after that of the success: it lies before today when that
    month does, and not after the last day that is reminded of when the day after it lies in a later month.
    """
    cycle = -terms.cycle_months.value
    reminded = today + timedelta(days=terms.reminder_days.value + 1)
    return Month.of(today).plus(cycle).first_day, Month.of(reminded).plus(cycle).first_day


async def figures(
    tx: Transaction, schemes: tuple[str, ...], terms: CertificationTerms, today: date
) -> Sequence[Record]:
    """For each kind that needs a certification: how many, certified, reminded, overdue, held back."""
    return await tx.fetch(
        """
        SELECT kind, count(*) AS beneficiaries, count(*) FILTER (WHERE is_certified) AS certified,
               count(*) FILTER (WHERE state = 'ACTIVE' AND last_date >= $2 AND last_date < $3) AS reminded,
               count(*) FILTER (WHERE state = 'ACTIVE' AND last_date < $2) AS overdue,
               count(*) FILTER (WHERE state = 'SUSPENDED' AND suspend_reason = 'CERTIFICATION_OVERDUE') AS suspended,
               count(*) FILTER (WHERE state = 'SUSPENDED' AND suspend_reason <> 'CERTIFICATION_OVERDUE') AS held
        FROM certified WHERE kind = ANY($1::text[]) GROUP BY kind ORDER BY kind
        """,
        needing(schemes),
        *window(terms, today),
    )


async def figures_by_source(tx: Transaction, first: date, last: date) -> Sequence[Record]:
    """How many certifications each source brought between two days, and how many of them were simulated."""
    return await tx.fetch(
        """
        SELECT source, count(*) AS count, count(*) FILTER (WHERE simulated) AS simulated FROM certification
        WHERE business_date BETWEEN $1 AND $2 GROUP BY source ORDER BY source
        """,
        first,
        last,
    )


# Suspension ---------------------------------------------------------------------------------------------------------


async def lock_benefits(tx: Transaction, benefit_ids: Iterable[UUID]) -> None:
    """Hold benefits still, in the order of their ids."""
    await tx.execute(
        "SELECT 1 FROM benefit WHERE benefit_id = ANY($1::uuid[]) ORDER BY benefit_id FOR NO KEY UPDATE",
        sorted(set(benefit_ids)),
    )


async def hold(
    tx: Transaction, from_months: Mapping[UUID, Month], reason: SuspendReason, evidence: str
) -> tuple[Sequence[Held], set[UUID]]:
    """Hold locked, running benefits back from a month on; what is held, and the payrolls that lost payments.

    Months that stand in payrolls which nobody released leave them; months that were released stay paid, and the
    benefit is held from the first month after them.
    """
    keys, froms = list(from_months), [month.first_day for month in from_months.values()]
    payrolls = await tx.fetch(
        """
        SELECT payroll_id, state FROM payroll WHERE payroll_id IN (
          SELECT payroll_id FROM payment JOIN unnest($1::uuid[], $2::date[]) AS one (benefit_id, from_month)
            USING (benefit_id)
          WHERE payment.month >= from_month AND payment.state = 'OPEN' AND payment.item = 'MONTH'
        ) ORDER BY payroll_id FOR NO KEY UPDATE
        """,
        keys,
        froms,
    )
    unreleased = [row["payroll_id"] for row in payrolls if row["state"] != "APPROVED"]
    withdrawn = await tx.fetch(
        """
        UPDATE payment SET state = 'WITHDRAWN'
        FROM unnest($1::uuid[], $2::date[]) AS one (benefit_id, from_month)
        WHERE payment.benefit_id = one.benefit_id AND month >= from_month AND state = 'OPEN' AND item = 'MONTH'
          AND payroll_id = ANY($3::uuid[])
        RETURNING payment.benefit_id, month, payroll_id, chunk
        """,
        keys,
        froms,
        unreleased,
    )
    for payroll_id in sorted({row["payroll_id"] for row in withdrawn}):
        left = {row["chunk"] for row in withdrawn if row["payroll_id"] == payroll_id}
        await paying.reopen_chunks(tx, payroll_id, sorted(left))
    first: dict[UUID, date] = {}
    for row in withdrawn:
        first[row["benefit_id"]] = min(row["month"], first.get(row["benefit_id"], row["month"]))
    held = await tx.fetch(
        """
        UPDATE benefit SET state = 'SUSPENDED', suspend_reason = $4,
               next_month = least(next_month, withdrawn),
               suspended_from = greatest(from_month, least(next_month, withdrawn))
        FROM unnest($1::uuid[], $2::date[], $3::date[]) AS one (benefit_id, from_month, withdrawn)
        WHERE benefit.benefit_id = one.benefit_id AND state = 'ACTIVE'
        RETURNING benefit.benefit_id, person_id, kind, suspended_from, from_month
        """,
        keys,
        froms,
        [first.get(key) for key in keys],
        reason.value,
    )
    await tx.execute(
        """
        INSERT INTO suspension (suspension_id, benefit_id, person_id, reason, evidence, from_month, business_date)
        SELECT suspension_id, benefit_id, person_id, $5, $6, from_month, $7
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[])
          AS one (suspension_id, benefit_id, person_id, from_month)
        """,
        [ids.new_id() for _ in held],
        [row["benefit_id"] for row in held],
        [row["person_id"] for row in held],
        # What is taken away begins where it was said, also in months that were released.
        [row["from_month" if reason in FORFEITS else "suspended_from"] for row in held],
        reason.value,
        evidence,
        tx.today,
    )
    return [_held(row) for row in held], set(unreleased) if withdrawn else set()


async def release(tx: Transaction, benefit_ids: Sequence[UUID], paid_from: Month | None = None) -> Sequence[Held]:
    """Pay locked, held benefits again: every month that was held, or only those from a month on.

    A month before `paid_from` is forfeited for good.
    """
    rows = await tx.fetch(
        """
        WITH held AS (
          SELECT benefit_id, suspended_from FROM benefit WHERE benefit_id = ANY($1::uuid[]) AND state = 'SUSPENDED'
        ), closed AS (
          UPDATE suspension SET closed_date = $3, paid_from = coalesce($2::date, suspended_from),
            forfeited_through = CASE WHEN $2::date > from_month THEN ($2::date - interval '1 month')::date END
          FROM held WHERE suspension.benefit_id = held.benefit_id AND closed_date IS NULL
        )
        UPDATE benefit SET state = 'ACTIVE', next_month = coalesce(greatest(next_month, $2::date), next_month),
          suspended_from = NULL, suspend_reason = NULL
        FROM held WHERE benefit.benefit_id = held.benefit_id
        RETURNING benefit.benefit_id, person_id, kind, coalesce($2::date, held.suspended_from) AS suspended_from
        """,
        list(benefit_ids),
        paid_from and paid_from.first_day,
        tx.today,
    )
    return sorted((_held(row) for row in rows), key=lambda one: one.benefit_id)


async def close_ended(tx: Transaction, benefit: BenefitRow) -> None:
    """A held benefit ended: what was held is paid up to the end, unless its reason takes the months away."""
    assert benefit.suspend_reason is not None
    assert benefit.suspended_from is not None
    assert benefit.last_month is not None
    forfeits = benefit.suspend_reason in FORFEITS
    await tx.execute(
        """
        UPDATE suspension SET closed_date = $2, forfeited_through = CASE WHEN $4 AND from_month <= $3 THEN $3::date END
        WHERE benefit_id = $1 AND closed_date IS NULL
        """,
        benefit.benefit_id,
        tx.today,
        benefit.last_month.first_day,
        forfeits,
    )
    if forfeits and benefit.suspended_from <= benefit.last_month:
        benefit.next_month = max(benefit.next_month, benefit.last_month.next)
    benefit.suspended_from = None
    benefit.suspend_reason = None


async def suspensions(tx: Transaction, benefit_id: UUID) -> Sequence[Record]:
    """When and why a benefit was held back, latest first."""
    return await tx.fetch(
        """
        SELECT suspension_id, reason, evidence, from_month, business_date, closed_date, paid_from, forfeited_through
        FROM suspension WHERE benefit_id = $1 ORDER BY suspension_id DESC
        """,
        benefit_id,
    )


# Payees -------------------------------------------------------------------------------------------------------------


async def change_payee(tx: Transaction, benefit: BenefitRow, payee_id: UUID) -> None:
    """Pay a locked benefit into another account from the next payroll on; the old account is kept."""
    await tx.execute(
        """
        INSERT INTO payee_change (benefit_id, number, old_payee_id, payee_id, business_date)
        SELECT $1, count(*) + 1, $2, $3, $4 FROM payee_change WHERE benefit_id = $1
        """,
        benefit.benefit_id,
        benefit.payee_id,
        payee_id,
        tx.today,
    )
    benefit.payee_id = payee_id


async def payees(tx: Transaction, benefit_id: UUID) -> Sequence[Record]:
    """The changes of a benefit's account, latest first, with the last four digits of the old and the new one."""
    return await tx.fetch(
        """
        SELECT number, business_date, old.account_tail AS old_tail, new.account_tail AS new_tail FROM payee_change
        JOIN payee AS old ON old.payee_id = old_payee_id JOIN payee AS new ON new.payee_id = payee_change.payee_id
        WHERE benefit_id = $1 ORDER BY number DESC
        """,
        benefit_id,
    )


# Double benefits ----------------------------------------------------------------------------------------------------


async def doubles(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Record]:
    """Persons who draw what excludes one another: two pensions, one kind twice, a pension and unemployment benefit."""
    return await tx.fetch(
        """
        WITH several AS MATERIALIZED (  -- few have more than one benefit or record: only theirs are looked at
          SELECT coalesce(survivor_id, person_id) AS root_id FROM (
            SELECT person_id FROM benefit WHERE state <> 'ENDED' GROUP BY person_id HAVING count(*) > 1
          ) AS one LEFT JOIN forward USING (person_id)
          UNION SELECT survivor_id FROM forward
        )
        SELECT root_id, benefit_ids FROM (
          SELECT root_id,
                 array_agg(benefit_id ORDER BY benefit_id) AS benefit_ids,
                 count(*) FILTER (WHERE kind = ANY($1::text[])) AS pensions,
                 count(*) FILTER (WHERE kind = 'UNEMPLOYMENT') AS unemployment,
                 count(*) - count(DISTINCT (kind, share)) AS twice
          FROM several CROSS JOIN LATERAL unnest(same_person(root_id)) AS record (person_id)
          JOIN benefit USING (person_id)
          WHERE state <> 'ENDED' AND ($2::uuid IS NULL OR root_id > $2) GROUP BY root_id
        ) AS drawn
        WHERE pensions > 1 OR unemployment > 0 AND pensions > 0 OR twice > 0
        ORDER BY root_id LIMIT $3
        """,
        ["EMPLOYEE_PENSION", "GOVERNMENT_PENSION", "RESIDENT_PENSION"],
        after,
        limit,
    )


def _held(row: Record) -> Held:
    return Held(row["benefit_id"], row["person_id"], Kind(row["kind"]), Month.of(row["suspended_from"]))
