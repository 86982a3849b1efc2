"""Months that were paid twice (重复缴费): what goes back, and how it leaves bills, contributions and accounts."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from chassis import ledger
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Refused
from kernel.money import Money
from kernel.statement import Line, Statement
from services.enrollment import accounting
from services.enrollment import cover_money as money_rules
from services.enrollment.accounting import ContributionState, EntryKind
from services.enrollment.cover import CoverKind
from services.enrollment.cover_money import Overlap
from services.enrollment.domain.contributions import Scheme
from services.enrollment.domain.residents import resident_refund
from services.enrollment.messages import facts
from services.enrollment.operations.cover_residents import check_known
from services.enrollment.operations.office import Office
from services.enrollment.store import cover, cover_money, people
from services.enrollment.store.cover_money import DoubleMonth


async def overlap(tx: Transaction, person_id: UUID) -> Sequence[Overlap]:
    """Show what a person has paid twice and what would go back.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    await check_known(tx, person_id)
    flexible, resident, _ = await _overlaps(tx, person_id)
    return [one for one in (flexible, resident) if one is not None]


async def refund_overlap(tx: Transaction, person_id: UUID, office: Office) -> Sequence[Overlap]:
    """Take back what was paid twice: it waits on `refunds:after_settlement` to be paid out.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Refused: NOTHING_OVERLAPS, ACCOUNT_YEAR_CLOSED, ACCOUNT_ALREADY_SETTLED.
    """
    if not await people.lock(tx, [person_id]):
        raise person_not_found()
    flexible, resident, months = await _overlaps(tx, person_id)
    done = []
    if flexible is not None:
        done.append(await _refund_flexible(tx, person_id, flexible, months, office))
    if resident is not None:
        done.append(await _refund_resident(tx, person_id, resident, office))
    if not done:
        raise Refused("NOTHING_OVERLAPS", "no month was paid twice", source=("MOHRSS-2014-17",))
    tx.audit("RefundOverlap", person_id=person_id, detail={"refunds": str(len(done))})
    return done


async def _overlaps(tx: Transaction, person_id: UUID) -> tuple[Overlap | None, Overlap | None, Sequence[DoubleMonth]]:
    months = await cover_money.paid_twice(tx, person_id)
    flexible = Overlap(CoverKind.FLEXIBLE, [one.month for one in months], _flexible_refund(months)) if months else None
    done = await cover_money.refunded_months(tx, person_id)
    employed = await cover_money.employee_months(tx, person_id, list(done))
    if months:  # a month that goes back does not count as employee insurance
        employed = [one for one in employed if one not in {back.month for back in months}]
    payments = {one.year: one.tier for one in await cover_money.payments(tx, person_id)}
    counts = money_rules.months_paid_twice(done, employed)
    resident = None
    if counts:
        lines = tuple(resident_refund(year, payments[year], number) for year, number in sorted(counts.items()))
        twice = sorted(one for one in employed if one.year in counts)
        if Money.total(line.amount for line in lines) > Money.ZERO:
            resident = Overlap(CoverKind.RESIDENT, twice, Statement(lines))
    return flexible, resident, months


async def _refund_flexible(
    tx: Transaction, person_id: UUID, one: Overlap, months: Sequence[DoubleMonth], office: Office
) -> Overlap:
    closed_through, is_settled, balance = await cover_money.lock_account(tx, person_id)
    if is_settled:
        raise Refused("ACCOUNT_ALREADY_SETTLED", "the account was settled before", source=("MOHRSS-2014-17",))
    early = next((back.booked for back in months if back.booked and back.booked.year <= (closed_through or 0)), None)
    if early is not None:
        raise Refused("ACCOUNT_YEAR_CLOSED", "the interest of that year is booked", year=str(early.year))
    refund_id = ids.new_id()
    share = Money.total(back.account for back in months)
    source = cover.source_of("rfd", refund_id)
    await cover_money.add_refund(
        tx, refund_id, person_id, one.kind, one.statement, account=share, policy_version=office.policy.version
    )
    await cover_money.take_back(tx, person_id, refund_id, months, source)
    await ledger.post(
        tx,
        kind="overlap_refund",
        key=ids.to_text("rfd", refund_id),
        postings=[
            (accounting.ACCOUNTS, -share),
            (accounting.PENSION_FUND, share - one.statement.total),
            (accounting.REFUNDS, one.statement.total),
        ],
        business_date=tx.today,
    )
    for back in months:
        unpaid = {Scheme.EMPLOYEE_PENSION: (back.base, ContributionState.UNPAID)}
        tx.emit(facts.contributions_settled(person_id, back.month, unpaid, source))
        if back.booked is not None:
            balance -= back.account
            tx.emit(
                facts.account_credited(
                    person_id, EntryKind.CONTRIBUTION, back.booked, amount=-back.account, balance=balance
                )
            )
    return replace(one, refund_id=refund_id)


async def _refund_resident(tx: Transaction, person_id: UUID, one: Overlap, office: Office) -> Overlap:
    refund_id = ids.new_id()
    source = cover.source_of("rfd", refund_id)
    total = one.statement.total
    await cover_money.add_refund(
        tx, refund_id, person_id, one.kind, one.statement, account=total, policy_version=office.policy.version
    )
    years = {
        int(line.code.removeprefix("resident.")): (int(dict(line.inputs)["months"]), line.amount)
        for line in one.statement.lines
    }
    await cover_money.note_resident_refund(tx, person_id, refund_id, years)
    await cover_money.book(
        tx, person_id, Scheme.RESIDENT_PENSION, {"REFUND": -total}, source=source, month=Month.of(tx.today)
    )
    await ledger.post(
        tx,
        kind="overlap_refund",
        key=ids.to_text("rfd", refund_id),
        postings=[(accounting.RESIDENT_ACCOUNTS, -total), (accounting.REFUNDS, total)],
        business_date=tx.today,
    )
    return replace(one, refund_id=refund_id)


def _flexible_refund(months: Sequence[DoubleMonth]) -> Statement:
    """What goes back for each month: all that the person paid, for all of it was the individual part."""
    return Statement(
        tuple(
            Line(
                code=f"flexible.{one.month}",
                amount=one.paid,
                title_zh=f"{one.month} 灵活就业缴费退还",
                title_en=f"Flexible worker's payment of {one.month} that goes back",
                formula=str(one.paid),
                inputs=(("month", str(one.month)), ("base", str(one.base)), ("account", str(one.account))),
                sources=("MOHRSS-2014-17", "MOHRSS-G-2016-5"),
            )
            for one in months
        )
    )
