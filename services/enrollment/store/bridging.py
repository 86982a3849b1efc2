"""Accounts that move between the resident and the employee pension."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.domain.bridging import Direction
from services.enrollment.moving import Bridge

_ENTRY = """
    INSERT INTO scheme_account_entry (person_id, scheme, part, source, booked_month, amount_fen)
    SELECT $1, 170, 'BRIDGED', $2 || ':' || to_char(one.month, 'YYYY-MM'), one.month, one.fen
    FROM unnest($3::date[], $4::bigint[]) AS one (month, fen)
"""


async def resident_balance(tx: Transaction, person_id: UUID, year: int) -> tuple[Money, Mapping[int, Money]]:
    """The resident account, locked: its balance before a year, and what was booked in the year by month."""
    await tx.fetchrow("SELECT 1 FROM scheme_account WHERE person_id = $1 AND scheme = 170 FOR UPDATE", person_id)
    rows = await tx.fetch(
        """
        SELECT CASE WHEN booked_month < make_date($2, 1, 1) THEN 0 ELSE extract(month FROM booked_month)::integer END
                   AS month, sum(amount_fen)::bigint AS fen
        FROM scheme_account_entry WHERE person_id = $1 AND scheme = 170 GROUP BY 1
        """,
        person_id,
        year,
    )
    parts = {row["month"]: Money(row["fen"]) for row in rows}
    return parts.pop(0, Money.ZERO), parts


async def move_resident(
    tx: Transaction, person_id: UUID, source: str, parts: Sequence[tuple[Month, Money]], *, is_in: bool
) -> None:
    """Book on the resident account what comes to it or leaves it, each part in its month."""
    sign = 1 if is_in else -1
    total = sign * Money.total(amount for _, amount in parts).fen
    await tx.execute(
        """
        INSERT INTO scheme_account AS mine (person_id, scheme, balance_fen) VALUES ($1, 170, $2)
        ON CONFLICT (person_id, scheme) DO UPDATE SET balance_fen = mine.balance_fen + excluded.balance_fen
        """
        if is_in
        else "UPDATE scheme_account SET balance_fen = balance_fen + $2 WHERE person_id = $1 AND scheme = 170",
        person_id,
        total,
    )
    months: dict[Month, int] = {}
    for month, amount in parts:  # the opening and a credit of January share a month
        months[month] = months.get(month, 0) + sign * amount.fen
    await tx.execute(_ENTRY, person_id, source, [month.first_day for month in months], list(months.values()))


async def add(tx: Transaction, one: Bridge, policy_version: str) -> bool:
    """Store a move; False when the person's account moved before."""
    return (
        await tx.execute(
            """
            INSERT INTO pension_bridge (bridge_id, person_id, direction, amount_fen, employee_months, statement,
                                        policy_version, bridge_date)
            VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8) ON CONFLICT (person_id) DO NOTHING
            """,
            one.bridge_id,
            one.person_id,
            one.direction.value,
            one.amount.fen,
            one.employee_months,
            one.statement.canonical(),
            policy_version,
            one.bridge_date,
        )
        == 1
    )


async def of_person(tx: Transaction, person_id: UUID) -> tuple[Bridge, str] | None:
    """The move of a person's account, and the version of the law; None when there was none."""
    row = await tx.fetchrow("SELECT * FROM pension_bridge WHERE person_id = $1", person_id)
    if row is None:
        return None
    bridge = Bridge(
        bridge_id=row["bridge_id"],
        person_id=row["person_id"],
        direction=Direction(row["direction"]),
        amount=Money(row["amount_fen"]),
        employee_months=row["employee_months"],
        statement=Statement.from_plain(row["statement"]),
        bridge_date=row["bridge_date"],
    )
    return bridge, row["policy_version"]
