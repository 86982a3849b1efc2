"""What benefits do by themselves (定时任务). None of it approves: two persons decide what is paid.

Days and times are the office's habit and no rule of law (*assumed*, docs/decisions/0270).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.timetable import Entry, Missed, Preset, daily, monthly
from kernel.calendar import Month
from services.benefits.operations import keeping_sweep, paying_books, payrolls, upkeep
from services.benefits.upkeep import Task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.policy import BenefitsPolicy


def entries(policy: BenefitsPolicy) -> list[Entry]:
    """The recurring work of benefits."""

    async def sweep(tx: Transaction) -> UUID:
        return (await keeping_sweep.start(tx, policy)).id

    async def payroll(tx: Transaction) -> UUID:
        return (await payrolls.prepare(tx, Month.of(tx.today), policy)).job_id

    async def books(tx: Transaction) -> UUID:
        return (await paying_books.check_books(tx)).id

    return [
        Entry(
            "certification_sweep",
            "暂停逾期未认证的待遇",
            "Hold back benefits without a certification in time",
            monthly(1, "02:00"),
            sweep,
        ),
        Entry(
            "resident_amounts",
            "居民养老金随基础养老金标准和年龄调整",
            "Resident pensions follow the base pension and the age",
            monthly(1, "03:00"),
            _upkeep(Task.RESIDENT_AMOUNTS, policy),
        ),
        Entry(
            "allowances_to_pensions",
            "准备病残津贴转养老金，由另一人核定",
            "Prepare pensions that take the place of allowances, for another person to decide",
            monthly(1, "04:00"),
            _upkeep(Task.ALLOWANCES_TO_PENSIONS, policy),
            prepares=True,
        ),
        Entry(
            "benefit_books",
            "核对待遇账务",
            "Prove the books of benefits",
            monthly(2, "01:00"),
            books,
        ),
        Entry(
            "certification_reminders",
            "写认证提醒",
            "Write reminders of certifications",
            daily("06:00"),
            _upkeep(Task.REMINDERS, policy),
        ),
        Entry(
            "payroll",
            "准备当月发放批次，由另一人复核",
            "Prepare the payroll of the month, for another person to approve",
            monthly(5, "01:00"),
            payroll,
            missed=Missed.EACH,
            preset=Preset.OFF,
            prepares=True,
        ),
    ]


def _upkeep(task: Task, policy: BenefitsPolicy) -> Callable[[Transaction], Awaitable[UUID]]:
    async def start(tx: Transaction) -> UUID:
        return (await upkeep.start(tx, task, policy)).id

    return start
