"""Construction projects with their rosters, and the orders of platforms."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.commands import WorkerDay
from services.enrollment.cover_work import Branch, PlatformMonth, PlatformOrders, Project
from services.enrollment.store import receipt_numbers

LOAD = """
    SELECT project.*, (SELECT count(*) FROM project_worker AS worker
                       WHERE worker.project_id = project.project_id AND until_date IS NULL) AS named_count
    FROM project WHERE project_id = $1
"""


async def add(tx: Transaction, one: Project) -> bool:
    """Store a project; False when its permit is registered."""
    return (
        await tx.execute(
            """
            INSERT INTO project (project_id, employer_id, permit_no, name, contract_price_fen, start_date, planned_date,
                                 premium_fen, statement, policy_version)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10) ON CONFLICT (permit_no) DO NOTHING
            """,
            one.project_id,
            one.employer_id,
            one.permit_no,
            one.name,
            one.contract_price.fen,
            one.start_date,
            one.planned_date,
            one.premium.fen,
            one.statement.canonical(),
            one.policy_version,
        )
        == 1
    )


async def load(tx: Transaction, project_id: UUID, *, lock: bool = False) -> Project | None:
    """A project, on demand locked."""
    if lock:
        await tx.fetchrow("SELECT 1 FROM project WHERE project_id = $1 FOR UPDATE", project_id)
    row = await tx.fetchrow(LOAD, project_id)
    return _project(row) if row else None


async def pay(tx: Transaction, project_id: UUID, receipt_no: str, paid_date: date, *, simulated: bool) -> bool:
    """Note the receipt of a locked project; False when its number was used."""
    return await _pay(tx, "project", project_id, receipt_no, paid_date, simulated=simulated)


async def add_worker(tx: Transaction, project_id: UUID, person_id: UUID, from_date: date) -> bool:
    """Put somebody on the roster; False when they stand there."""
    return (
        await tx.execute(
            """
            INSERT INTO project_worker (project_id, person_id, from_date) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
            """,
            project_id,
            person_id,
            from_date,
        )
        == 1
    )


async def complete(tx: Transaction, project_id: UUID, day: date) -> None:
    """Note the completion; the rosters' open stretches end with it, or began too late and end where they began."""
    await tx.execute("UPDATE project SET completion_date = $2 WHERE project_id = $1", project_id, day)
    await tx.execute(
        """
        UPDATE project_worker SET until_date = greatest(from_date, $2) WHERE project_id = $1 AND until_date IS NULL
        """,
        project_id,
        day,
    )


async def is_named(tx: Transaction, project_id: UUID, person_id: UUID, day: date) -> bool:
    """Whether somebody stood on the roster on a day."""
    found = await tx.fetchrow(
        """
        SELECT 1 FROM project_worker WHERE project_id = $1 AND person_id = $2 AND from_date <= $3
          AND (until_date IS NULL OR until_date >= $3)
        """,
        project_id,
        person_id,
        day,
    )
    return found is not None


async def last_named(tx: Transaction, project_id: UUID) -> date | None:
    """The last day on which somebody came to the site."""
    row = await tx.fetchrow("SELECT max(from_date) AS day FROM project_worker WHERE project_id = $1", project_id)
    assert row is not None
    day: date | None = row["day"]
    return day


async def add_month(tx: Transaction, one: PlatformMonth, days: Sequence[WorkerDay]) -> bool:
    """Store a report with its days; False when the month of the branch was reported."""
    added = await tx.execute(
        """
        INSERT INTO platform_month (platform_month_id, employer_id, month, branch, order_count, premium_fen, statement,
                                    policy_version, report_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9) ON CONFLICT (employer_id, month, branch) DO NOTHING
        """,
        one.platform_month_id,
        one.employer_id,
        one.month.first_day,
        one.branch.value,
        one.orders,
        one.premium.fen,
        one.statement.canonical(),
        one.policy_version,
        tx.today,
    )
    if not added:
        return False
    await tx.execute(
        """
        INSERT INTO platform_worker_day (platform_month_id, person_id, day, order_count)
        SELECT $1, * FROM unnest($2::uuid[], $3::date[], $4::integer[])
        """,
        one.platform_month_id,
        [day.person_id for day in days],
        [day.day for day in days],
        [day.orders for day in days],
    )
    return True


async def known_persons(tx: Transaction, person_ids: Sequence[UUID]) -> set[UUID]:
    """Those of some persons who stand in the register."""
    rows = await tx.fetch("SELECT person_id FROM person WHERE person_id = ANY($1)", list(person_ids))
    return {row["person_id"] for row in rows}


async def lock_month(tx: Transaction, platform_month_id: UUID) -> PlatformMonth | None:
    """A report, locked for its receipt."""
    row = await tx.fetchrow("SELECT * FROM platform_month WHERE platform_month_id = $1 FOR UPDATE", platform_month_id)
    if row is None:
        return None
    return PlatformMonth(
        platform_month_id=row["platform_month_id"],
        employer_id=row["employer_id"],
        month=Month.of(row["month"]),
        branch=Branch(row["branch"]),
        orders=row["order_count"],
        premium=Money(row["premium_fen"]),
        statement=Statement.from_plain(row["statement"]),
        policy_version=row["policy_version"],
        paid_date=row["paid_date"],
    )


async def pay_month(tx: Transaction, month_id: UUID, receipt_no: str, paid_date: date, *, simulated: bool) -> bool:
    """Note the receipt of a locked report; False when its number was used."""
    return await _pay(tx, "platform_month", month_id, receipt_no, paid_date, simulated=simulated)


async def orders_on(tx: Transaction, person_id: UUID, day: date) -> Sequence[PlatformOrders]:
    """Orders of a person on a day, by platform and branch."""
    rows = await tx.fetch(
        """
        SELECT employer_id, branch, month, one.order_count AS orders, 1 AS days
        FROM platform_worker_day AS one JOIN platform_month USING (platform_month_id)
        WHERE person_id = $1 AND day = $2 ORDER BY employer_id, branch
        """,
        person_id,
        day,
    )
    return [_orders(row) for row in rows]


async def _pay(tx: Transaction, table: str, row_id: UUID, receipt_no: str, paid_date: date, *, simulated: bool) -> bool:
    if not await receipt_numbers.take(tx, receipt_no, table):
        return False
    return (
        await tx.execute(
            f"UPDATE {table} SET receipt_no = $2, paid_date = $3, simulated = $4 WHERE {table}_id = $1",  # noqa: S608 - names of ours
            row_id,
            receipt_no,
            paid_date,
            simulated,
        )
        == 1
    )


def _orders(row: Any) -> PlatformOrders:
    return PlatformOrders(row["employer_id"], Branch(row["branch"]), row["orders"], Month.of(row["month"]), row["days"])


def _project(row: Any) -> Project:
    return Project(
        project_id=row["project_id"],
        employer_id=row["employer_id"],
        permit_no=row["permit_no"],
        name=row["name"],
        contract_price=Money(row["contract_price_fen"]),
        start_date=row["start_date"],
        planned_date=row["planned_date"],
        completion_date=row["completion_date"],
        premium=Money(row["premium_fen"]),
        statement=Statement.from_plain(row["statement"]),
        policy_version=row["policy_version"],
        paid_date=row["paid_date"],
        named_count=row["named_count"],
    )
