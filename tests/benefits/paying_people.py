"""Populations for payrolls: lives drawn by hypothesis, written as rows, and what one of them is owed, by hand.

A life is small and plain so that a failing population shrinks to one person of whom everything can be read. What a
person is paid is worked out here month by month from the rules, with nothing of the set form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from kernel.calendar import Month
from services.benefits.lifecycle import ONE_OFF, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    import asyncpg

START = Month(2025, 9)  # nobody's first month lies before
PAYROLLS = (Month(2026, 3), Month(2026, 6))  # several months at once, the second with months of its own
COMPUTED = Kind.UNEMPLOYMENT  # whose months are computed, not stored
STORED = tuple(kind for kind in Kind if kind is not COMPUTED)


@dataclass(frozen=True, slots=True)
class Life:
    """What becomes of a benefit; months count from `START`, amounts are fen.

    Args:
        kind: Kind of benefit; one-off kinds have one month.
        first: Its first month.
        lasts: How many months it lasts; ``None`` without end (a death in the middle of a month ends with that month).
        paid: Months that stood in payrolls before.
        amounts: Each from a month on, in the order in which they were decided.
        lost: First and last month that an earlier suspension took away for good.
        differences: Amount, last month it is for, and whether it was taken back.
        plan: What is owed back, what is held back of each month, and from when on.
        state: At the first payroll: ACTIVE, SUSPENDED or ENDED.
        later: What happens between the payrolls: nothing, suspended, resumed, ended or changed.
        later_month: The month that it speaks of.
        later_fen: The amount that it speaks of.
    """

    kind: Kind
    first: int
    lasts: int | None
    paid: int
    amounts: tuple[tuple[int, int], ...]
    lost: tuple[int, int] | None
    differences: tuple[tuple[int, int, bool], ...]
    plan: tuple[int, int, int] | None
    state: str
    later: str
    later_month: int
    later_fen: int

    def last(self) -> int | None:
        """The last month, if there is one."""
        if self.kind in ONE_OFF:
            return self.first
        lasts = self.lasts
        if lasts is None and (self.kind is COMPUTED or self.state == "ENDED"):
            lasts = 5
        return None if lasts is None else self.first + lasts


FEN = st.one_of(st.integers(0, 3), st.integers(0, 10**6))
SOME_MONTH = st.integers(0, 11)
LIFE = st.builds(
    Life,
    kind=st.sampled_from([*STORED, COMPUTED]),
    first=st.integers(0, 9),
    lasts=st.one_of(st.none(), st.integers(0, 9)),
    paid=st.integers(0, 4),
    amounts=st.lists(st.tuples(st.integers(-2, 11), FEN), max_size=4).map(tuple),
    lost=st.one_of(st.none(), st.tuples(SOME_MONTH, st.integers(0, 4)).map(lambda one: (one[0], one[0] + one[1]))),
    differences=st.lists(st.tuples(st.integers(1, 10**6), SOME_MONTH, st.booleans()), max_size=2).map(tuple),
    plan=st.one_of(st.none(), st.tuples(st.integers(1, 10**6), st.integers(1, 10**6), SOME_MONTH)),
    state=st.sampled_from(["ACTIVE", "ACTIVE", "ACTIVE", "SUSPENDED", "ENDED"]),
    later=st.sampled_from(["nothing", "nothing", "suspended", "resumed", "ended", "changed"]),
    later_month=SOME_MONTH,
    later_fen=FEN,
)


# One of everything, so that the quick run has its teeth whatever it draws: a change with back pay and a plan whose last
# instalment is a rest, a suspension that is lifted, one that begins, an earlier end, an end that cuts a difference off.
_PLAIN: dict[str, Any] = {"lasts": None, "paid": 0, "amounts": (), "lost": None, "differences": (), "plan": None}
_STAYS: dict[str, Any] = {"state": "ACTIVE", "later": "nothing", "later_month": 0, "later_fen": 0}
SHARP = [
    Life(
        Kind.EMPLOYEE_PENSION, 3, None, 0, ((1, 400_000), (5, 600_000), (4, 450_000)), (4, 4),
        ((77, 3, False), (5, 2, True)), (1_000_000, 300_000, 5), "ACTIVE", "changed", 8, 123_456,
    ),
    Life(**{**_PLAIN, **_STAYS, "kind": Kind.INJURY_ALLOWANCE, "first": 0, "state": "SUSPENDED", "later": "resumed"}),
    Life(**{**_PLAIN, **_STAYS, "kind": Kind.INJURY_NURSING, "first": 2, "paid": 1, "later": "suspended"}),
    Life(**{**_PLAIN, **_STAYS, "kind": Kind.RESIDENT_PENSION, "first": 1, "later": "ended", "later_month": 7}),
    Life(
        Kind.DISABILITY_ALLOWANCE, 2, 4, 2, (), None, ((9, 6, False), (8, 7, False)), (1, 1, 0), "ENDED", "nothing",
        0, 0,
    ),
    Life(**{**_PLAIN, **_STAYS, "kind": Kind.SURVIVOR_GRANT, "first": 4}),
    Life(**{**_PLAIN, **_STAYS, "kind": COMPUTED, "first": 1, "lasts": 6, "lost": (3, 3), "plan": (900, 500, 0)}),
]  # fmt: skip


def month(place: int) -> Month:
    """The month that a life counts so."""
    return START.plus(place)


@dataclass(frozen=True, slots=True)
class Computed:
    """A benefit whose months are computed: its calculation, and what the one-person form says of each month."""

    digest: bytes
    worth: Mapping[Month, int]


@dataclass
class Person:
    """One benefit with its life; every copy of a life has other amounts, so that no two people are alike."""

    benefit_id: UUID
    life: Life
    shift: int
    computed: Computed | None
    amounts: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = (self.life.first, 500_000 + self.shift)
        self.amounts = [first, *((since, fen + self.shift) for since, fen in self.life.amounts)]

    def amount(self, place: int, *, changed: bool) -> int:
        """What a month is worth: the newest amount that begins in it or before."""
        if self.computed is not None:
            return self.computed.worth[month(place)]
        known = [*self.amounts, (self.life.later_month, self.life.later_fen)] if changed else self.amounts
        return [fen for since, fen in known if since <= place][-1]

    def owed(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Payments as (benefit, item, month, fen) and deductions as (benefit, month, fen), of both payrolls."""
        life, last, following = self.life, self.life.last(), self.life.first + self.life.paid
        payments: list[tuple[Any, ...]] = []
        deductions: list[tuple[Any, ...]] = []
        waiting = [(fen, place) for fen, place, is_withdrawn in life.differences if not is_withdrawn]
        lost = set() if life.lost is None else set(range(life.lost[0], life.lost[1] + 1))
        is_suspended = life.state == "SUSPENDED"
        free, wish, since = life.plan or (0, 0, 0)
        for number, due in enumerate(PAYROLLS):
            if number:
                is_suspended = (is_suspended and life.later != "resumed") or self.is_suspended_later
                if self.is_ended_later:
                    last = self.earlier_end
            if is_suspended:
                continue
            until = START.months_until(due)
            until = until if last is None else min(until, last)
            for place in range(following, until + 1):
                if place in lost:
                    continue
                fen = self.amount(place, changed=bool(number) and life.later == "changed")
                payments.append((self.benefit_id, "MONTH", month(place).first_day, fen))
                held = min(wish, fen, free) if place >= since else 0
                if held:
                    deductions.append((self.benefit_id, month(place).first_day, held))
                    free -= held
            following = max(following, until + 1)
            end = None if last is None else max(last, life.first)
            payments += [
                (self.benefit_id, "DIFFERENCE", month(place).first_day, fen)
                for fen, place in waiting
                if end is None or place <= end
            ]
            waiting = [one for one in waiting if end is not None and one[1] > end]
        return payments, deductions

    @property
    def is_suspended_later(self) -> bool:
        """Suspended between the payrolls."""
        return self.life.later == "suspended" and self.life.state == "ACTIVE"

    @property
    def is_ended_later(self) -> bool:
        """Ended between the payrolls, by a death in the middle of a month."""
        return self.life.later == "ended" and self.life.state == "ACTIVE" and self.life.kind not in ONE_OFF

    @property
    def earlier_end(self) -> int:
        """The last month then: not before its first, nor after the one it had."""
        last = self.life.last()
        return max(self.life.first, self.life.later_month if last is None else min(last, self.life.later_month))


# Rows ---------------------------------------------------------------------------------------------------------------

_TABLES = "payroll, payment, difference, deduction, recovery_plan, recovery, suspension, benefit_amount"


async def write(connection: asyncpg.Connection, people: Sequence[Person], today: date) -> None:
    """Make these people the whole city; everybody else has nothing to be paid."""
    await connection.execute(f"TRUNCATE {_TABLES} CASCADE")
    await connection.execute("UPDATE benefit SET next_month = '2099-01-01' WHERE next_month < '2099-01-01'")
    lives = [one.life for one in people]
    ids = [one.benefit_id for one in people]
    firsts = [month(one.first).first_day for one in lives]
    lasts = [None if (last := one.last()) is None else month(last).first_day for one in lives]
    nexts = [month(one.first + one.paid).first_day for one in lives]
    await connection.execute(
        """
        UPDATE benefit SET kind = one.kind, state = one.state, first_month = one.first, last_month = one.last,
               next_month = one.next, event_month = one.first, digest = coalesce(one.digest, benefit.digest),
               end_reason = CASE one.state WHEN 'ENDED' THEN 'DIED' END,
               suspended_from = CASE one.state WHEN 'SUSPENDED' THEN one.next END,
               suspend_reason = CASE one.state WHEN 'SUSPENDED' THEN 'IMPRISONED' END
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::date[], $5::date[], $6::date[], $7::bytea[])
          AS one (benefit_id, kind, state, first, last, next, digest) WHERE benefit.benefit_id = one.benefit_id
        """,
        ids,
        [one.kind.value for one in lives],
        [one.state for one in lives],
        firsts,
        lasts,
        nexts,
        [None if one.computed is None else one.computed.digest for one in people],
    )
    rows = [
        (one.benefit_id, number, month(since).first_day, fen)
        for one in people
        for number, (since, fen) in enumerate(one.amounts, start=1)
    ]
    await _amounts(connection, rows, today)
    lost = [(one.benefit_id, *one.life.lost) for one in people if one.life.lost is not None]
    await connection.execute(
        """
        INSERT INTO suspension (suspension_id, benefit_id, person_id, reason, from_month, business_date, closed_date,
                                forfeited_through)
        SELECT gen_random_uuid(), benefit_id, person_id, 'IMPRISONED', since, $4, $4, through
        FROM unnest($1::uuid[], $2::date[], $3::date[]) AS one (benefit_id, since, through)
        JOIN benefit USING (benefit_id)
        """,
        [one[0] for one in lost],
        [month(one[1]).first_day for one in lost],
        [month(one[2]).first_day for one in lost],
        today,
    )
    differences = [(one.benefit_id, *difference) for one in people for difference in one.life.differences]
    await connection.execute(
        """
        INSERT INTO difference (difference_id, benefit_id, person_id, cause, cause_id, first_month, last_month,
                                amount_fen, digest, business_date, withdrawn_date)
        SELECT gen_random_uuid(), benefit_id, person_id, 'RECOMPUTED', gen_random_uuid(), month, month, fen, digest,
               $5::date, CASE WHEN is_withdrawn THEN $5::date END
        FROM unnest($1::uuid[], $2::bigint[], $3::date[], $4::boolean[]) AS one (benefit_id, fen, month, is_withdrawn)
        JOIN benefit USING (benefit_id)
        """,
        [one[0] for one in differences],
        [one[1] for one in differences],
        [month(one[2]).first_day for one in differences],
        [one[3] for one in differences],
        today,
    )
    plans = [(one.benefit_id, *one.life.plan) for one in people if one.life.plan is not None]
    await connection.execute(
        """
        WITH owed AS (
            INSERT INTO recovery (recovery_id, benefit_id, person_id, kind, reason, first_month, last_month, amount_fen,
                                  found_date)
            SELECT gen_random_uuid(), benefit_id, person_id, kind, 'DIED', '2025-01-01', '2025-01-01', fen, $5
            FROM unnest($1::uuid[], $2::bigint[]) AS one (benefit_id, fen) JOIN benefit USING (benefit_id)
            RETURNING recovery_id, benefit_id, amount_fen
        )
        INSERT INTO recovery_plan (plan_id, recovery_id, method, monthly_fen, first_month, total_fen, benefit_id,
                                   agreement, business_date)
        SELECT gen_random_uuid(), recovery_id, 'DEDUCTION', monthly, since, amount_fen, benefit_id, 'agreed', $5
        FROM unnest($1::uuid[], $3::bigint[], $4::date[]) AS one (benefit_id, monthly, since)
        JOIN owed USING (benefit_id)
        """,
        [one[0] for one in plans],
        [one[1] for one in plans],
        [one[2] for one in plans],
        [month(one[3]).first_day for one in plans],
        today,
    )


async def go_on(connection: asyncpg.Connection, people: Sequence[Person], today: date) -> None:
    """What happens between the payrolls."""
    await connection.execute(
        "UPDATE benefit SET state = 'SUSPENDED', suspended_from = '2026-04-01', suspend_reason = 'IMPRISONED' "
        "WHERE benefit_id = ANY ($1::uuid[])",
        [one.benefit_id for one in people if one.is_suspended_later],
    )
    await connection.execute(
        "UPDATE benefit SET state = 'ACTIVE', suspended_from = NULL, suspend_reason = NULL "
        "WHERE benefit_id = ANY ($1::uuid[])",
        [one.benefit_id for one in people if one.life.later == "resumed" and one.life.state == "SUSPENDED"],
    )
    ended = [one for one in people if one.is_ended_later]
    await connection.execute(
        """
        UPDATE benefit SET state = 'ENDED', end_reason = 'DIED', last_month = one.last
        FROM unnest($1::uuid[], $2::date[]) AS one (benefit_id, last) WHERE benefit.benefit_id = one.benefit_id
        """,
        [one.benefit_id for one in ended],
        [month(one.earlier_end).first_day for one in ended],
    )
    changed = [one for one in people if one.life.later == "changed"]
    rows = [
        (one.benefit_id, len(one.amounts) + 1, month(one.life.later_month).first_day, one.life.later_fen)
        for one in changed
    ]
    await _amounts(connection, rows, today)


async def _amounts(connection: asyncpg.Connection, rows: Sequence[tuple[Any, ...]], today: date) -> None:
    await connection.execute(
        """
        INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, business_date)
        SELECT benefit_id, one.number, one.since, one.fen, digest,
               CASE one.number WHEN 1 THEN 'DETERMINED' ELSE 'RECOMPUTED' END, $5
        FROM unnest($1::uuid[], $2::integer[], $3::date[], $4::bigint[]) AS one (benefit_id, number, since, fen)
        JOIN benefit USING (benefit_id)
        """,
        *(list(column) for column in (zip(*rows, strict=True) if rows else ([], [], [], []))),
        today,
    )
