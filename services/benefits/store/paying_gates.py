"""What each gate looks for, as one query over the benefits of a chunk (`mine`) and the records of each person (`same`).

A gate answers (benefit_id, gate, effect, detail); details hold ids, months and amounts and nothing personal. Another
room joins by a `Look` of its own in `LOOKS`. Everything is looked up by index, benefit by benefit: a chunk never reads
the city.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from services.benefits.lifecycle import AFTER_DEATH, ONE_OFF
from services.benefits.paying import EXCLUSIONS, RELEASABLE, Effect, Gate
from services.benefits.store import chunks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from kernel.money import Money
    from services.benefits.paying import Limits


@dataclass(frozen=True, slots=True)
class Look:
    """What some gates look for; the names of parameters are those of `_PLACES`."""

    gates: tuple[Gate, ...]
    query: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """The benefits of a chunk, with what only the one-person form knows of them.

    Args:
        payroll_id: The payroll.
        number: Number of the chunk.
        month: The month that is paid.
        benefit_ids: The locked benefits.
        computed: What those are worth whose amount may change every month, in the last month that is due.
        missing: Those of which a parameter is missing, and which.
        certified: The kinds that need a certification.
        certified_since: The first day on which a last success is still good in the month that is paid.
    """

    payroll_id: UUID
    number: int
    month: Month
    benefit_ids: Sequence[UUID]
    computed: Mapping[UUID, Money]
    missing: Mapping[UUID, str]
    certified: Sequence[str] = ()
    certified_since: date = date.min

    def terms(self, gate: Gate, limits: Limits) -> str:
        """What a gate looked by, as its evidence keeps it."""
        return f"certified_since={self.certified_since}" if gate is Gate.CERTIFICATION else limits.terms(gate)


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a gate found something."""

    gate: Gate
    effect: Effect
    count: int


_MINE = """
    mine AS MATERIALIZED (
        SELECT benefit.benefit_id, benefit.person_id, benefit.kind, benefit.share, benefit.state, first_month,
               last_month, next_month, provisional, benefit.payee_id, suspend_reason, until,
               next_month <= until AS is_due,
               coalesce(forward.survivor_id, benefit.person_id) AS root,
               coalesce(computed.fen, worth.amount_fen) AS fen,
               before.amount_fen AS before_fen, before.payee_id AS before_payee_id,
               account_index, coalesce(has_account, false) AS has_account
        FROM unnest(:ids::uuid[]) AS one (benefit_id)
        CROSS JOIN LATERAL (SELECT * FROM benefit WHERE benefit.benefit_id = one.benefit_id OFFSET 0) AS benefit
        CROSS JOIN LATERAL (SELECT least(:month::date, last_month) AS until) AS term
        LEFT JOIN forward ON forward.person_id = benefit.person_id
        LEFT JOIN unnest(:computed::uuid[], :computed_fen::bigint[]) AS computed (benefit_id, fen)
            ON computed.benefit_id = benefit.benefit_id
        LEFT JOIN LATERAL (
            SELECT amount_fen FROM benefit_amount AS amount
            WHERE amount.benefit_id = benefit.benefit_id AND from_month <= until ORDER BY number DESC LIMIT 1
        ) AS worth ON true
        LEFT JOIN LATERAL (
            SELECT amount_fen, payment.payee_id FROM payment
            WHERE payment.benefit_id = benefit.benefit_id AND item = 'MONTH' AND payment.state <> 'WITHDRAWN'
              AND month = (next_month - interval '1 month')::date OFFSET 0
        ) AS before ON true
        LEFT JOIN LATERAL (
            SELECT account_index, octet_length(name_sealed) > 0 AND octet_length(account_sealed) > 0 AS has_account
            FROM payee WHERE payee.payee_id = benefit.payee_id OFFSET 0
        ) AS payee ON true
    ),
    same AS MATERIALIZED (
        SELECT benefit_id, root AS person_id FROM mine
        UNION ALL SELECT benefit_id, forward.person_id FROM mine JOIN forward ON forward.survivor_id = root
    )
"""


_BEN = "'ben_' || replace({}::text, '-', '')"


_MONTH = "to_char({}, 'YYYY-MM')"


def reckons(benefit_id: str, name: str) -> str:
    """The condition that a benefit was worked out beside the other one: its determination has the input `name`."""
    return f"""
        EXISTS (SELECT FROM benefit_amount AS first JOIN calculation USING (digest)
                WHERE {name} <> '' AND first.benefit_id = {benefit_id} AND first.number = 1
                  AND inputs ->> {name} IS NOT NULL)
    """


LOOKS: tuple[Look, ...] = (
    Look(
        (Gate.DEATH, Gate.AFTER_DEATH),
        f"""
        SELECT benefit_id, CASE WHEN bool_or(is_due AND month < until AND kind <> ALL (:once::text[])) THEN 'DEATH'
                                ELSE 'AFTER_DEATH' END, 'BLOCK',
               'died ' || {_MONTH.format("min(month)")}
        FROM mine JOIN same USING (benefit_id), LATERAL (
            SELECT died_month AS month FROM person WHERE person.person_id = same.person_id AND died_month IS NOT NULL
            UNION ALL
            SELECT end_month FROM participation
            WHERE participation.person_id = same.person_id AND end_reason = 'DIED'
        ) AS death
        WHERE kind <> ALL (:of_a_death::text[]) AND (NOT is_due OR month < until) GROUP BY benefit_id
        """,  # noqa: S608 - constant
    ),
    Look(
        (Gate.SUSPENDED,),
        "SELECT benefit_id, 'SUSPENDED', 'BLOCK', suspend_reason FROM mine WHERE state = 'SUSPENDED'",
    ),
    Look(
        (Gate.CERTIFICATION,),  # overdue, and the sweep has not been there yet
        """
        SELECT mine.benefit_id, 'CERTIFICATION', 'BLOCK', 'no success since ' || :certified_since::date
        FROM mine LEFT JOIN LATERAL (
            SELECT last_date FROM certification_standing AS one
            WHERE one.person_id = root
              AND one.share = CASE mine.kind WHEN 'INJURY_DEPENDANT' THEN mine.share ELSE '' END OFFSET 0
        ) AS standing ON true
        WHERE is_due AND mine.state = 'ACTIVE' AND mine.kind = ANY (:certified::text[])
          AND mine.first_month < :certified_since::date AND coalesce(last_date < :certified_since::date, true)
          AND EXISTS (
              SELECT FROM benefit JOIN determination USING (determination_id)
              WHERE benefit.benefit_id = mine.benefit_id AND decide_date < :certified_since::date
          )
        """,
    ),
    Look(
        (Gate.DOUBLE,),
        f"""
        SELECT mine.benefit_id, 'DOUBLE', 'BLOCK', other.kind || ' ' || {_BEN.format("other.benefit_id")}
        FROM mine JOIN same USING (benefit_id)
        CROSS JOIN LATERAL (
            SELECT * FROM benefit
            WHERE benefit.person_id = same.person_id AND benefit.benefit_id <> mine.benefit_id OFFSET 0
        ) AS other
        LEFT JOIN unnest(:gives_way::text[], :to::text[], :unless::text[]) AS rule (gives_way, kept, unless)
            ON gives_way = mine.kind AND kept = other.kind AND NOT {reckons("mine.benefit_id", "unless")}
        WHERE is_due AND other.first_month <= until AND coalesce(other.last_month, until) >= mine.next_month
          AND (kept IS NOT NULL OR (other.kind = mine.kind AND other.share = mine.share
                                    AND other.person_id <> mine.person_id AND other.benefit_id < mine.benefit_id))
        """,  # noqa: S608 - constant
    ),
    Look(
        (Gate.PARAMETER,),
        """
        SELECT benefit_id, 'PARAMETER', 'BLOCK', missing
        FROM unnest(:missing::uuid[], :missing_text::text[]) AS one (benefit_id, missing)
        """,
    ),
    Look(
        (Gate.PAYEE_MISSING,),
        "SELECT benefit_id, 'PAYEE_MISSING', 'BLOCK', '' FROM mine WHERE NOT has_account",
    ),
    Look(
        (Gate.PAYEE_PARKED,),
        """
        SELECT mine.benefit_id, 'PAYEE_PARKED', 'BLOCK', 'pmt_' || replace(payment_id::text, '-', '')
        FROM mine JOIN returned_payment AS one ON one.benefit_id = mine.benefit_id AND one.state = 'PARKED'
        JOIN payment USING (payment_id) WHERE payment.payee_id = mine.payee_id
        """,
    ),
    Look(
        (Gate.ACCOUNT_CHANGED,),
        "SELECT benefit_id, 'ACCOUNT_CHANGED', 'WARN', '' FROM mine WHERE is_due AND before_payee_id <> payee_id",
    ),
    Look(
        (Gate.ACCOUNT_SHARED,),
        """
        SELECT benefit_id, 'ACCOUNT_SHARED', CASE WHEN persons >= :shared_block THEN 'BLOCK' ELSE 'WARN' END,
               'persons ' || persons
        FROM mine, LATERAL (
            SELECT count(*) FROM (
                SELECT DISTINCT coalesce(forward.survivor_id, running.person_id) FROM payee AS alike
                JOIN benefit AS running ON running.payee_id = alike.payee_id AND running.state <> 'ENDED'
                LEFT JOIN forward ON forward.person_id = running.person_id
                WHERE alike.account_index = mine.account_index LIMIT 100
            ) AS alike_persons
        ) AS counted (persons)
        WHERE persons >= :shared_warn
        """,
    ),
    Look(
        (Gate.JUMP,),
        """
        SELECT benefit_id, 'JUMP', CASE WHEN fen > before_fen THEN 'BLOCK' ELSE 'WARN' END, before_fen || ' ' || fen
        FROM mine WHERE is_due AND before_fen > 0 AND abs(fen - before_fen) * 100 > before_fen * :jump_percent
        """,
    ),
    Look(
        (Gate.FIRST,),
        f"""
        SELECT benefit_id, 'FIRST', 'WARN', {_MONTH.format("first_month")} FROM mine
        WHERE is_due AND next_month = first_month AND before_fen IS NULL
        """,  # noqa: S608 - constant
    ),
    Look(
        (Gate.PROVISIONAL,),
        "SELECT benefit_id, 'PROVISIONAL', 'WARN', '' FROM mine WHERE is_due AND provisional",
    ),
    Look(
        (Gate.DIFFERENCE_PAST_END,),
        f"""
        SELECT benefit_id, 'DIFFERENCE_PAST_END', 'WARN', {_MONTH.format("max(waiting.last_month)")}
        FROM mine CROSS JOIN LATERAL (
            SELECT last_month FROM difference AS one
            WHERE one.benefit_id = mine.benefit_id AND payment_id IS NULL AND withdrawn_date IS NULL OFFSET 0
        ) AS waiting
        WHERE mine.last_month IS NOT NULL AND waiting.last_month > greatest(mine.last_month, mine.first_month)
        GROUP BY benefit_id
        """,  # noqa: S608 - constant
    ),
)


_PLACES = (
    "payroll_id", "number", "month", "ids", "computed", "computed_fen", "missing", "missing_text", "of_a_death",
    "gives_way", "to", "once", "shared_warn", "shared_block", "jump_percent", "releasable", "certified",
    "certified_since", "unless",
)  # fmt: skip


def _placed(query: str) -> str:
    """The query with the numbers of its parameters; the longer name first, where one begins another."""
    for name in sorted(_PLACES, key=len, reverse=True):
        query = query.replace(f":{name}", f"${_PLACES.index(name) + 1}")
    return query


FIND = _placed(f"""
    WITH {_MINE},
    found (benefit_id, gate, effect, detail) AS ({" UNION ALL ".join(look.query for look in LOOKS)}),
    written AS (
        INSERT INTO payroll_finding (payroll_id, chunk, benefit_id, person_id, gate, effect, detail)
        SELECT DISTINCT ON (found.benefit_id, found.gate)
               :payroll_id::uuid, :number::integer, found.benefit_id, mine.person_id, found.gate,
               CASE WHEN effect = 'BLOCK' AND found.gate = ANY (:releasable::text[]) AND EXISTS (
                   SELECT FROM payroll_release AS given
                   WHERE given.benefit_id = found.benefit_id AND given.gate = found.gate
                     AND given.state = 'APPROVED' AND through_month >= coalesce(until, :month::date)
               ) THEN 'RELEASED' ELSE effect END, detail
        FROM found JOIN mine USING (benefit_id) ORDER BY found.benefit_id, found.gate, effect, detail
        RETURNING gate, effect
    )
    SELECT gate, effect, count(*) AS count FROM written GROUP BY gate, effect
""")  # noqa: S608 - constant


KEEP = """
    INSERT INTO payroll_gate (payroll_id, chunk, gate, checked_count, blocked_count, warned_count, released_count,
                              terms)
    SELECT $1, $2, one.gate, $3, one.blocked, one.warned, one.released, one.terms
    FROM unnest($4::text[], $5::integer[], $6::integer[], $7::integer[], $8::text[])
      AS one (gate, blocked, warned, released, terms)
"""


async def look(tx: Transaction, chunk: Chunk, limits: Limits) -> Sequence[Counted]:
    """Write down what every gate finds of the benefits of a chunk, and that it looked."""
    await chunks.hashing(tx, on=True)  # `mine` and `same` with each other; tables are looked up by key all the same
    rows = await tx.fetch(
        FIND,
        chunk.payroll_id,
        chunk.number,
        chunk.month.first_day,
        list(chunk.benefit_ids),
        list(chunk.computed),
        [one.fen for one in chunk.computed.values()],
        list(chunk.missing),
        list(chunk.missing.values()),
        sorted(one.value for one in AFTER_DEATH),
        [one.gives_way.value for one in EXCLUSIONS],
        [one.to.value for one in EXCLUSIONS],
        sorted(one.value for one in ONE_OFF),
        limits.shared_warn,
        limits.shared_block,
        limits.jump_percent,
        sorted(one.value for one in RELEASABLE),
        list(chunk.certified),
        chunk.certified_since,
        [one.unless for one in EXCLUSIONS],
    )
    await chunks.hashing(tx, on=False)
    found = [Counted(Gate(row["gate"]), Effect(row["effect"]), row["count"]) for row in rows]
    gates = sorted({gate for one in LOOKS for gate in one.gates})
    by = {(one.gate, one.effect): one.count for one in found}
    await tx.execute(
        KEEP,
        chunk.payroll_id,
        chunk.number,
        len(chunk.benefit_ids),
        [gate.value for gate in gates],
        *([by.get((gate, effect), 0) for gate in gates] for effect in (Effect.BLOCK, Effect.WARN, Effect.RELEASED)),
        [chunk.terms(gate, limits) for gate in gates],
    )
    return found
