"""Work-injury cover bought for work: construction projects (同舟计划), orders of platforms (职业伤害保障)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from chassis import ledger
from chassis.principal import employer_not_found, person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.errors import AlreadyExists, NotFound, Refused
from kernel.money import Money
from services.enrollment import accounting, billing
from services.enrollment import cover_money as money_rules
from services.enrollment import cover_work as work_rules
from services.enrollment.commands import AddProjectWorker, RegisterProject, ReportPlatformOrders, SingleReceipt
from services.enrollment.cover_work import PlatformMonth, PlatformOrders, Project, project_not_found
from services.enrollment.domain.projects import platform_premium, project_premium
from services.enrollment.operations import cover_people
from services.enrollment.operations.cover_residents import check_simulated, receipt_no_reused
from services.enrollment.operations.office import Office
from services.enrollment.store import cover_projects as store
from services.enrollment.store import people


@dataclass(frozen=True, slots=True)
class ProjectAnswer:
    """Whether a day of a project is covered, and whether the person asked for stood on its roster."""

    project: Project
    covered: bool
    named: bool


async def register_project(tx: Transaction, command: RegisterProject, office: Office) -> Project:
    """Register a project with its premium.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        InvalidInput: PROJECT_DATES_INVALID.
        AlreadyExists: PROJECT_ALREADY_REGISTERED.
        Refused: POLICY_PARAMETER_MISSING: the share and the rates are not public.
    """
    work_rules.check_project_dates(command.start_date, command.planned_date)
    if await people.employer(tx, command.employer_id) is None:
        raise employer_not_found()
    statement = project_premium(command.contract_price, office.policy.project_terms.on(command.start_date))
    made = Project(
        project_id=ids.new_id(),
        employer_id=command.employer_id,
        permit_no=command.permit_no,
        name=command.name,
        contract_price=command.contract_price,
        start_date=command.start_date,
        planned_date=command.planned_date,
        completion_date=None,
        premium=statement.total,
        statement=statement,
        policy_version=office.policy.version,
    )
    if not await store.add(tx, made):
        raise AlreadyExists("PROJECT_ALREADY_REGISTERED", "the permit is registered")
    tx.audit("RegisterProject", detail=_detail(made))
    return made


async def project(tx: Transaction, project_id: UUID) -> Project:
    """Show a project.

    Raises:
        NotFound: PROJECT_NOT_FOUND.
    """
    return _checked(tx, await store.load(tx, project_id))


async def record_premium(tx: Transaction, command: SingleReceipt, office: Office) -> Project:
    """Record the receipt of a project's premium, in full.

    Raises:
        NotFound: PROJECT_NOT_FOUND.
        AlreadyExists: RECEIPT_NO_REUSED.
        InvalidInput: RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
        Refused: PAYMENT_ALREADY_PAID, RECEIPT_SIMULATED.
    """
    check_simulated(command, office)
    found = await store.load(tx, command.subject_id, lock=True)
    if found is None:
        raise project_not_found()
    money_rules.check_single_receipt(
        found.premium, command.amount, command.paid_date, tx.today, earliest=date(1990, 1, 1), paid=found.paid_date
    )
    if not await store.pay(tx, found.project_id, command.receipt_no, command.paid_date, simulated=command.simulated):
        raise receipt_no_reused()
    await _book(tx, ids.to_text("prj", found.project_id), found.premium, accounting.INJURY_FUND, command.paid_date)
    tx.audit("RecordProjectPremium", detail=_detail(found))
    return replace(found, paid_date=command.paid_date)


async def add_worker(tx: Transaction, command: AddProjectWorker, office: Office) -> tuple[UUID, bool]:
    """Put a worker on the roster of a project; whether the person was new is the second part of the answer.

    Raises:
        NotFound: PROJECT_NOT_FOUND.
        InvalidInput: PROJECT_DATES_INVALID.
        AlreadyExists: WORKER_ALREADY_NAMED.
        Refused: NAME_MISMATCH, PERSON_RETIRED.
    """
    found = _checked(tx, await store.load(tx, command.project_id, lock=True))
    if not found.covers(command.from_date):
        raise work_rules.project_dates_invalid("from_date", found.start_date, found.completion_date)
    insured = await cover_people.person_for(tx, command.person, office)
    if not await store.add_worker(tx, found.project_id, insured.person_id, command.from_date):
        raise AlreadyExists("WORKER_ALREADY_NAMED", "the worker stands on the roster")
    tx.audit("AddProjectWorker", person_id=insured.person_id, detail=_detail(found))
    return insured.person_id, insured.is_new


async def complete(tx: Transaction, project_id: UUID, day: date) -> Project:
    """Complete a project: its cover ends with the day (竣工).

    Raises:
        NotFound: PROJECT_NOT_FOUND.
        Refused: PROJECT_COMPLETED.
        InvalidInput: PROJECT_DATES_INVALID: before the start or the last worker's first day, or in the future.
    """
    found = _checked(tx, await store.load(tx, project_id, lock=True))
    if found.completion_date is not None:
        raise Refused("PROJECT_COMPLETED", "the project is completed", day=str(found.completion_date))
    earliest = max(found.start_date, await store.last_named(tx, project_id) or found.start_date)
    if not earliest <= day <= tx.today:
        raise work_rules.project_dates_invalid("completion_date", earliest, tx.today)
    await store.complete(tx, project_id, day)
    tx.audit("CompleteProject", detail=_detail(found))
    return replace(found, completion_date=day, named_count=0)


async def project_cover(tx: Transaction, project_id: UUID, person_id: UUID | None, day: date) -> ProjectAnswer:
    """Whether a day of a project is covered; its unnamed workers are covered like the named ones (未记名).

    Raises:
        NotFound: PROJECT_NOT_FOUND.
    """
    found = await store.load(tx, project_id)
    if found is None:
        raise project_not_found()
    named = person_id is not None and await store.is_named(tx, project_id, person_id, day)
    return ProjectAnswer(found, found.covers(day), named and found.covers(day))


async def report_orders(tx: Transaction, command: ReportPlatformOrders, office: Office) -> PlatformMonth:
    """Report a month's orders of a platform in one branch, with its premium.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND, PERSON_NOT_FOUND.
        Refused: MONTH_NOT_STARTED, POLICY_PARAMETER_MISSING.
        AlreadyExists: PLATFORM_MONTH_ALREADY_REPORTED.
    """
    billing.check_month_started(command.month, tx.today)
    if await people.employer(tx, command.employer_id) is None:
        raise employer_not_found()
    wanted = {one.person_id for one in command.days}
    if wanted - await store.known_persons(tx, sorted(wanted)):
        raise person_not_found()
    orders = sum(one.orders for one in command.days)
    fees = office.policy.order_fees.on(command.month.first_day)
    statement = platform_premium(command.month, command.branch.value, orders, fees)
    made = PlatformMonth(
        platform_month_id=ids.new_id(),
        employer_id=command.employer_id,
        month=command.month,
        branch=command.branch,
        orders=orders,
        premium=statement.total,
        statement=statement,
        policy_version=office.policy.version,
    )
    if not await store.add_month(tx, made, command.days):
        raise AlreadyExists("PLATFORM_MONTH_ALREADY_REPORTED", "the month was reported", month=str(command.month))
    tx.audit("ReportPlatformOrders", detail={"platform_month_id": ids.to_text("plm", made.platform_month_id)})
    return made


async def record_platform_premium(tx: Transaction, command: SingleReceipt, office: Office) -> PlatformMonth:
    """Record the receipt of a platform's premium, in full.

    Raises:
        NotFound: PLATFORM_MONTH_NOT_FOUND.
        AlreadyExists: RECEIPT_NO_REUSED.
        InvalidInput: RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
        Refused: PAYMENT_ALREADY_PAID, RECEIPT_SIMULATED.
    """
    check_simulated(command, office)
    found = await store.lock_month(tx, command.subject_id)
    if found is None:
        raise NotFound("PLATFORM_MONTH_NOT_FOUND", "no such report")
    money_rules.check_single_receipt(
        found.premium,
        command.amount,
        command.paid_date,
        tx.today,
        earliest=found.month.first_day,
        paid=found.paid_date,
    )
    key = found.platform_month_id
    if not await store.pay_month(tx, key, command.receipt_no, command.paid_date, simulated=command.simulated):
        raise receipt_no_reused()
    await _book(tx, ids.to_text("plm", key), found.premium, accounting.PLATFORM_FUND, command.paid_date)
    tx.audit("RecordPlatformPremium", detail={"platform_month_id": ids.to_text("plm", key)})
    return replace(found, paid_date=command.paid_date)


async def platform_cover(tx: Transaction, person_id: UUID, day: date) -> Sequence[PlatformOrders]:
    """Orders that a person took on a day: with any, the day was covered.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    if not await people.is_known(tx, person_id):
        raise person_not_found()
    return await store.orders_on(tx, person_id, day)


async def _book(tx: Transaction, key: str, amount: Money, fund: str, day: date) -> None:
    await ledger.post(
        tx, kind="premium", key=key, postings=[(accounting.TAX, -amount), (fund, amount)], business_date=day
    )


def _checked(tx: Transaction, found: Project | None) -> Project:
    if found is None:
        raise project_not_found()
    try:
        tx.principal.require_employer(found.employer_id)
    except NotFound:
        raise project_not_found() from None
    return found


def _detail(one: Project) -> dict[str, str]:
    return {"project_id": ids.to_text("prj", one.project_id)}
