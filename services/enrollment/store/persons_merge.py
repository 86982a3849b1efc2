"""Two records become one: what stands in each, what moves, and the way back.

A merger notes the key of every row that changes hands, so that it is undone exactly; rows keep everything but the
person they belong to.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.persons import Books, Record
from services.enrollment.register import Stretch

# Tables that a merger knows: it moves their rows, or they belong to the record itself. Rows of a person anywhere else
# stop a merger, so that a table of tomorrow is not forgotten today.
KNOWN = frozenset(
    {
        "person", "person_version", "former_number", "person_request", "death", "inheritance", "employment",
        "participation", "bill_line", "contribution", "account", "account_entry", "account_year", "account_settlement",
        "audit",
    }
)  # fmt: skip

NEVER = 2200  # the last year an account may begin in: one that went up in another is never closed


async def record(tx: Transaction, person_id: UUID) -> Record:
    """What of a locked record decides whether it can be merged."""
    person = await tx.fetchrow("SELECT retirement_month, died_on FROM person WHERE person_id = $1", person_id)
    assert person is not None
    months = await tx.fetch("SELECT month, scheme FROM contribution_month WHERE person_id = $1", person_id)
    lines = await tx.fetch("SELECT month FROM bill_line WHERE person_id = $1", person_id)
    worked = await tx.fetch("SELECT start_month, end_month FROM employment WHERE person_id = $1", person_id)
    account = await tx.fetchrow(
        """
        SELECT first_year, closed_through, balance_fen, settle_month, EXISTS (
            SELECT FROM account_entry AS entry
            WHERE entry.person_id = account.person_id AND kind = 'IMPORTED_BALANCE'
        ) AS has_import FROM account WHERE person_id = $1
        """,
        person_id,
    )
    books = None
    if account:
        books = Books(
            account["first_year"], account["closed_through"], Money(account["balance_fen"]), account["has_import"]
        )
    return Record(
        is_retired=person["retirement_month"] is not None,
        is_dead=person["died_on"] is not None,
        months=frozenset((Month.of(row["month"]), row["scheme"]) for row in months),
        billed=frozenset(Month.of(row["month"]) for row in lines),
        employments=[
            Stretch(Month.of(row["start_month"]), Month.of(row["end_month"]) if row["end_month"] else None)
            for row in worked
        ],
        books=books,
        is_settled=account is not None and account["settle_month"] is not None,
    )


async def elsewhere(tx: Transaction, person_id: UUID) -> Sequence[str]:
    """Tables with rows of a person that a merger does not know how to move."""
    rows = await tx.fetch(
        """
        SELECT table_name
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = 'public' AND column_name = 'person_id' AND data_type = 'uuid' AND table_type = 'BASE TABLE'
        ORDER BY table_name
        """
    )
    names = [row["table_name"] for row in rows if row["table_name"] not in KNOWN]
    return [
        name
        for name in names
        if await tx.fetchrow(f'SELECT 1 FROM "{name}" WHERE person_id = $1 LIMIT 1', person_id)  # noqa: S608 - catalogue
    ]


async def is_survivor(tx: Transaction, person_id: UUID) -> bool:
    """Whether another record went up in this one."""
    return await tx.fetchrow("SELECT 1 FROM person WHERE merged_into = $1 LIMIT 1", person_id) is not None


async def merge(tx: Transaction, survivor: UUID, other: UUID) -> None:
    """Move every row of a record to the survivor and let it forward; both are locked and checked."""
    moved = await _keys(tx, other)
    moved["account"] = await _account(tx, other)
    moved["survivor_account"] = await _account(tx, survivor)
    await tx.execute("UPDATE person SET merged_into = $2 WHERE person_id = $1", other, survivor)
    await _move(tx, moved, other, survivor)
    moved["after"] = await _mark(tx, survivor, moved)
    await tx.execute(
        """
        INSERT INTO person_merge (merge_id, survivor_id, merged_id, moved, merged) VALUES ($1, $2, $3, $4::jsonb, $5)
        """,
        ids.new_id(),
        survivor,
        other,
        json.dumps(moved),
        tx.now,
    )


async def standing_merge(tx: Transaction, survivor: UUID, other: UUID) -> Mapping[str, Any] | None:
    """What a merger moved, while it was not undone."""
    row = await tx.fetchrow(
        """
        SELECT moved FROM person_merge
        WHERE survivor_id = $1 AND merged_id = $2 AND undone IS NULL FOR UPDATE
        """,
        survivor,
        other,
    )
    moved: Mapping[str, Any] | None = row["moved"] if row else None
    return moved


async def is_untouched(tx: Transaction, survivor: UUID, moved: Mapping[str, Any]) -> bool:
    """Whether nothing was recorded since a merger that belongs to both records."""
    after: list[Any] = moved["after"]
    return await _mark(tx, survivor, moved) == after


async def unmerge(tx: Transaction, survivor: UUID, other: UUID, moved: Mapping[str, Any]) -> None:
    """Give every row back, and the accounts as they were; nothing was recorded since that belongs to both."""
    await _move(tx, moved, survivor, other, restore=True)
    await tx.execute("UPDATE person SET merged_into = NULL WHERE person_id = $1", other)
    await tx.execute(
        "UPDATE person_merge SET undone = $3 WHERE survivor_id = $1 AND merged_id = $2 AND undone IS NULL",
        survivor,
        other,
        tx.now,
    )


async def _keys(tx: Transaction, person_id: UUID) -> dict[str, Any]:
    """The keys of all rows of a person that a merger moves."""
    row = await tx.fetchrow(
        """
        SELECT
            (SELECT coalesce(jsonb_agg(enrollment_id), '[]') FROM employment WHERE person_id = $1) AS enrollments,
            (SELECT coalesce(jsonb_agg(bill_id), '[]') FROM bill_line WHERE person_id = $1) AS bills,
            (SELECT coalesce(jsonb_agg(jsonb_build_array(month, scheme)), '[]') FROM contribution
                WHERE person_id = $1) AS months,
            (SELECT coalesce(jsonb_agg(jsonb_build_array(kind, source)), '[]') FROM account_entry
                WHERE person_id = $1) AS entries,
            (SELECT coalesce(jsonb_agg(year), '[]') FROM account_year WHERE person_id = $1) AS years
        """,
        person_id,
    )
    assert row is not None
    return dict(row)


async def _account(tx: Transaction, person_id: UUID) -> dict[str, Any] | None:
    row = await tx.fetchrow(
        "SELECT balance_fen, first_year, closed_through FROM account WHERE person_id = $1 FOR UPDATE", person_id
    )
    return dict(row) if row else None


async def _move(
    tx: Transaction, moved: Mapping[str, Any], source: UUID, target: UUID, *, restore: bool = False
) -> None:
    accounts = (moved["account"], moved["survivor_account"])
    if accounts[0] is not None:
        if restore:
            await _write_account(tx, target, accounts[0])
            await _write_account(tx, source, accounts[1] or {**accounts[0], "balance_fen": 0, "closed_through": None})
        else:
            await _write_account(tx, target, _together(*accounts))
            await _write_account(tx, source, {"balance_fen": 0, "first_year": NEVER, "closed_through": None})
    await tx.execute("SELECT move_person_rows($1, $2, $3::jsonb)", source, target, json.dumps(moved))


def _together(one: Mapping[str, Any], other: Mapping[str, Any] | None) -> dict[str, Any]:
    """One account of two: at most one of them has closed years, and the other begins after those."""
    if other is None:
        return dict(one)
    closed = one if one["closed_through"] is not None else other
    is_closed = closed["closed_through"] is not None
    return {
        "balance_fen": one["balance_fen"] + other["balance_fen"],
        "first_year": closed["first_year"] if is_closed else min(one["first_year"], other["first_year"]),
        "closed_through": closed["closed_through"],
    }


async def _write_account(tx: Transaction, person_id: UUID, account: Mapping[str, Any]) -> None:
    await tx.execute(
        """
        INSERT INTO account (person_id, balance_fen, first_year, closed_through) VALUES ($1, $2, $3, $4)
        ON CONFLICT (person_id) DO UPDATE SET balance_fen = excluded.balance_fen, first_year = excluded.first_year,
            closed_through = excluded.closed_through
        """,
        person_id,
        account["balance_fen"],
        account["first_year"],
        account["closed_through"],
    )


async def _mark(tx: Transaction, survivor: UUID, moved: Mapping[str, Any]) -> list[Any]:
    """What changes when something is recorded that belongs to both records: moved employments, and the account."""
    row = await tx.fetchrow(
        """
        SELECT (SELECT count(*) FROM bill_line WHERE enrollment_id = ANY($2::uuid[])) AS lines,
            (SELECT md5(coalesce(string_agg(enrollment_id::text || coalesce(end_month::text, ''), ',' ORDER BY
                enrollment_id), '')) FROM employment WHERE enrollment_id = ANY($2::uuid[])) AS ends,
            (SELECT count(*) || ' ' || coalesce(sum(wage_fen), 0) FROM declared_wage
                WHERE enrollment_id = ANY($2::uuid[])) AS wages,
            (SELECT count(*) FROM contribution WHERE person_id = $1 AND (month, scheme) IN
                (SELECT * FROM unnest($3::date[], $4::smallint[]))) AS months,
            (SELECT count(*) FROM account_entry WHERE person_id = $1) AS entries,
            (SELECT count(*) FROM account_year WHERE person_id = $1) AS years,
            (SELECT retirement_month::text FROM person WHERE person_id = $1) AS retired,
            (SELECT settle_month::text FROM account WHERE person_id = $1) AS settled,
            (SELECT count(*) FROM contribution WHERE person_id = $1 AND bill_id = ANY($5::uuid[])) AS settled_since
        """,
        survivor,
        [UUID(one) for one in moved["enrollments"]],
        [date.fromisoformat(month) for month, _ in moved["months"]],
        [scheme for _, scheme in moved["months"]],
        [UUID(one) for one in moved["bills"]],
    )
    assert row is not None
    mark = list(row.values())
    if moved["account"] is None:  # the account is the survivor's alone: what happens to it does not bind the two
        mark[4:6] = [0, 0]
        mark[7] = None
    return mark
