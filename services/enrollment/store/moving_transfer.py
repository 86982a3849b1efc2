"""Transfers, their steps, and what they do to months and accounts."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.accounting import PLATFORM, ContributionState, Year
from services.enrollment.moving import MONTHS, PENSION, Direction, FormYear, Step, Transfer

READ = """
    SELECT transfer.*, (
        SELECT coalesce(jsonb_agg(jsonb_build_array(step.state, step.day, step.document_no) ORDER BY created), '[]')
        FROM transfer_step AS step WHERE step.transfer_id = transfer.transfer_id
    ) AS steps
    FROM transfer
"""
EMPLOYERS_SIDE = """
    SELECT coalesce(sum(employer_fen), 0)::bigint AS fen FROM contribution_month
    WHERE person_id = $1 AND scheme = 110
"""


async def add(tx: Transaction, one: Transfer, day: date) -> bool:
    """Store a new transfer; False when the person has one that is open."""
    done = await tx.execute(
        """
        INSERT INTO transfer (transfer_id, person_id, direction, state, other_area, temporary, apply_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (person_id) WHERE state NOT IN ('DONE', 'REFUSED') DO NOTHING
        """,
        one.transfer_id,
        one.person_id,
        one.direction,
        one.state,
        one.other_area,
        one.temporary,
        day,
    )
    if done:
        await add_step(tx, one.transfer_id, one.state, day)
    return bool(done)


async def add_step(tx: Transaction, transfer_id: UUID, state: Step, day: date, document_no: str = "") -> None:
    """Note a step; a state is reached once."""
    await tx.execute(
        """
        INSERT INTO transfer_step (transfer_id, state, day, document_no, created)
        VALUES ($1, $2, $3, $4, clock_timestamp())
        """,
        transfer_id,
        state,
        day,
        document_no,
    )


async def transfer(tx: Transaction, transfer_id: UUID, *, lock: bool = False) -> Transfer | None:
    """A transfer with its steps, on demand locked."""
    row = await tx.fetchrow(f"{READ} WHERE transfer_id = $1{' FOR UPDATE' if lock else ''}", transfer_id)
    return _transfer(row) if row else None


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[Transfer]:
    """The transfers of a person, newest first."""
    return [
        _transfer(row) for row in await tx.fetch(f"{READ} WHERE person_id = $1 ORDER BY transfer_id DESC", person_id)
    ]


async def open_ones(tx: Transaction, limit: int) -> Sequence[Transfer]:
    """The transfers that wait for a step, oldest first."""
    rows = await tx.fetch(f"{READ} WHERE state NOT IN ('DONE', 'REFUSED') ORDER BY transfer_id LIMIT $1", limit)
    return [_transfer(row) for row in rows]


async def move(tx: Transaction, transfer_id: UUID, state: Step, *, refusal: str | None = None) -> None:
    """Bring a transfer into a state."""
    await tx.execute("UPDATE transfer SET state = $2, refusal = $3 WHERE transfer_id = $1", transfer_id, state, refusal)


async def keep_letter(tx: Transaction, transfer_id: UUID, letter_no: str) -> None:
    """Keep the number of the contact letter."""
    await tx.execute("UPDATE transfer SET letter_no = $2 WHERE transfer_id = $1", transfer_id, letter_no)


async def keep_form(
    tx: Transaction,
    transfer_id: UUID,
    form_no: str,
    *,
    years: Sequence[FormYear],
    statement: Statement,
    policy_version: str,
) -> None:
    """Keep an information form: its years, and the account and the pooled part with their explanation."""
    plain = [[one.year, one.first_month, one.month_count, one.base.fen, one.state] for one in years]
    await tx.execute(
        """
        UPDATE transfer SET form_no = $2, form = $3, statement = $4, policy_version = $5, account_fen = $6,
            pooled_fen = $7, through = $8, state = 'FORM'
        WHERE transfer_id = $1
        """,
        transfer_id,
        form_no,
        json.dumps(plain),
        statement.canonical(),
        policy_version,
        statement.amount("account").fen,
        statement.amount("pooled").fen,
        years[-1].last.first_day,
    )


async def keep_funds(tx: Transaction, transfer_id: UUID, funds_no: str) -> bool:
    """Keep the number of the payment; False when it paid another transfer."""
    done = await tx.execute(
        """
        UPDATE transfer SET funds_no = $2 WHERE transfer_id = $1
          AND NOT EXISTS (SELECT FROM transfer WHERE funds_no = $2)
        """,
        transfer_id,
        funds_no,
    )
    return bool(done)


async def pension_months(tx: Transaction, person_id: UUID) -> Sequence[tuple[Month, Money, ContributionState]]:
    """The months of the pension that count here, ascending."""
    rows = await tx.fetch(
        """
        SELECT month, base_fen, state FROM contribution_month WHERE person_id = $1 AND scheme = 110 ORDER BY month
        """,
        person_id,
    )
    return [(Month.of(row["month"]), Money(row["base_fen"]), ContributionState(row["state"])) for row in rows]


async def billed(tx: Transaction, person_id: UUID) -> set[Month]:
    """The months for which a person stands on a bill here, also while it is open."""
    rows = await tx.fetch("SELECT month FROM bill_line WHERE person_id = $1", person_id)
    return {Month.of(row["month"]) for row in rows}


async def employers_side(tx: Transaction, person_id: UUID) -> Money:
    """Everything that employers paid here for a person's pension."""
    row = await tx.fetchrow(EMPLOYERS_SIDE, person_id)
    assert row is not None
    return Money(row["fen"])


async def first_insured(tx: Transaction, person_id: UUID) -> Month | None:
    """The month in which a person was first insured here."""
    row = await tx.fetchrow("SELECT min(start_month) AS month FROM employment WHERE person_id = $1", person_id)
    return Month.of(row["month"]) if row and row["month"] else None


async def is_employed(tx: Transaction, person_id: UUID, month: Month) -> bool:
    """Whether an employment here lasts to a month or beyond."""
    row = await tx.fetchrow(
        "SELECT 1 FROM employment WHERE person_id = $1 AND (end_month IS NULL OR end_month >= $2) LIMIT 1",
        person_id,
        month.first_day,
    )
    return row is not None


async def leave(tx: Transaction, person_id: UUID, transfer_id: UUID, through: Month) -> None:
    """From here on the months of the pension up to one count elsewhere. The person is locked by the caller."""
    await tx.execute(
        """
        INSERT INTO departure (person_id, number, through, transfer_id)
        SELECT $1, coalesce(max(number), 0) + 1, $2, $3 FROM departure WHERE person_id = $1
        """,
        person_id,
        through.first_day,
        transfer_id,
    )


async def arrive(tx: Transaction, person_id: UUID, years: Iterable[FormYear], source: int) -> None:
    """Months of a form count here, by the year. The person is locked by the caller."""
    rows: dict[int, list[FormYear]] = {}
    for one in years:
        rows.setdefault(one.year, []).append(one)
    for year, parts in rows.items():
        months = deemed = 0
        bases = [0] * MONTHS
        for part in parts:
            for place in range(part.first_month - 1, part.first_month - 1 + part.month_count):
                months |= 1 << place
                deemed |= (part.state is ContributionState.DEEMED) << place
                bases[place] = part.base.fen
        await tx.execute(
            """
            INSERT INTO history_year (person_id, year, schemes, months, deemed, bases, source, line, departures)
            SELECT $1, $2, $3, $4, $5, $6, $7, 0, (SELECT count(*) FROM departure WHERE person_id = $1)
            """,
            person_id,
            year,
            PENSION,
            months,
            deemed,
            bases,
            source,
        )


async def credit(tx: Transaction, person_id: UUID, source: str, booked: Month, amount: Money) -> Money:
    """Credit what came with a relation; the balance after. An account begins with it where there is none."""
    row = await tx.fetchrow(
        """
        INSERT INTO account AS mine (person_id, balance_fen, first_year) VALUES ($1, $2, $3)
        ON CONFLICT (person_id) DO UPDATE SET balance_fen = mine.balance_fen + excluded.balance_fen
        RETURNING balance_fen
        """,
        person_id,
        amount.fen,
        booked.year,
    )
    assert row is not None
    await tx.execute(
        """
        INSERT INTO account_entry (person_id, kind, source, year, booked_month, amount_fen)
        VALUES ($1, 'CONTRIBUTION', $2, $3, $4, $5)
        """,
        person_id,
        source,
        booked.year,
        booked.first_day,
        amount.fen,
    )
    return Money(row["balance_fen"])


async def empty(
    tx: Transaction, person_id: UUID, source: str, *, month: Month, year: Year, moved: Money, policy_version: str
) -> None:
    """Take a whole balance off an account and close its year: nothing of it earns interest here any more."""
    assert year.statement is not None
    await tx.execute(
        """
        INSERT INTO account_entry (person_id, kind, source, year, booked_month, amount_fen)
        VALUES ($1, 'TRANSFERRED_OUT', $2, $3, $4, $5)
        """,
        person_id,
        source,
        month.year,
        month.first_day,
        -moved.fen,
    )
    await tx.execute(
        """
        INSERT INTO account_year (person_id, year, opening_fen, contribution_fen, interest_fen, imported_fen, moved_fen,
                                  closing_fen, statement, provisional, policy_version, source)
        VALUES ($1, $2, $3, $4, 0, 0, $5, 0, $6, false, $7, $8)
        """,
        person_id,
        year.year,
        year.opening.fen,
        year.contribution.fen,
        -moved.fen,
        year.statement.canonical(),
        policy_version,
        PLATFORM,
    )
    await tx.execute(
        "UPDATE account SET balance_fen = 0, closed_through = $2 WHERE person_id = $1", person_id, year.year
    )


def _transfer(row: Any) -> Transfer:
    return Transfer(
        transfer_id=row["transfer_id"],
        person_id=row["person_id"],
        direction=Direction(row["direction"]),
        state=Step(row["state"]),
        other_area=row["other_area"],
        temporary=row["temporary"],
        steps=[(Step(state), date.fromisoformat(day), document) for state, day, document in row["steps"]],
        years=[
            FormYear(year, first, count, Money(base), ContributionState(state))
            for year, first, count, base, state in row["form"] or ()
        ],
        statement=Statement.from_plain(row["statement"]) if row["statement"] else None,
        policy_version=row["policy_version"] or "",
        through=Month.of(row["through"]) if row["through"] else None,
        account=None if row["account_fen"] is None else Money(row["account_fen"]),
        pooled=None if row["pooled_fen"] is None else Money(row["pooled_fen"]),
        refusal=row["refusal"] or "",
    )
