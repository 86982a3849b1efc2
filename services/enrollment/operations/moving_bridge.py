"""Accounts between the pensions of residents and employees (城乡养老制度衔接): once for a person, at the statutory age.

What was paid twice goes back first (RefundOverlap). Months are not rewritten: with enough employee years the resident
years add none, and where the account goes to the resident scheme the answer says how many months count there.
"""

from collections.abc import Sequence
from uuid import UUID

from chassis import ledger
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, NotFound, Refused
from kernel.money import Money
from kernel.retirement import statutory_age
from kernel.statement import Statement
from services.enrollment import accounting
from services.enrollment.accounting import Account, EntryKind
from services.enrollment.cover import CoverKind
from services.enrollment.domain import bridging as rules
from services.enrollment.domain.bridging import Direction
from services.enrollment.domain.contributions import Scheme
from services.enrollment.messages import facts
from services.enrollment.moving import Bridge
from services.enrollment.operations import cover_overlaps, cover_people
from services.enrollment.operations import moving_transfer as moving
from services.enrollment.operations.office import Office
from services.enrollment.register import EndReason
from services.enrollment.store import accounts, cover, people, scheme_years
from services.enrollment.store import bridging as store
from services.enrollment.store import moving_transfer as transfers


async def bridge(tx: Transaction, person_id: UUID, direction: Direction, office: Office) -> tuple[Bridge, str]:
    """Move a person's account to the other scheme.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        AlreadyExists: BRIDGED_BEFORE.
        Refused: BRIDGE_TOO_EARLY, BRIDGE_DIRECTION_WRONG, STILL_INSURED_HERE, MONTHS_UNPAID, OVERLAP_OPEN,
            ACCOUNT_YEAR_OPEN, PENSION_DRAWN, NO_RESIDENT_COVER, NOTHING_TO_BRIDGE, POLICY_PARAMETER_MISSING.
    """
    if not await people.lock(tx, [person_id]):
        raise person_not_found()
    if await store.of_person(tx, person_id) is not None:
        raise _before()
    months = await _check(tx, person_id, direction, office)
    bridge_id = ids.new_id()
    source = f"bridge:{ids.to_text('brg', bridge_id)}"
    account = await accounts.account(tx, person_id, lock=True)
    statement, parts = await _parts(tx, person_id, direction, account, office)
    to_employee = direction is Direction.TO_EMPLOYEE
    amount, now = statement.total, Month.of(tx.today)
    made = Bridge(bridge_id, person_id, direction, amount, months, statement, tx.today)
    if not await store.add(tx, made, office.policy.version):
        raise _before()
    await store.move_resident(tx, person_id, source, parts, is_in=not to_employee)
    if to_employee:
        await _credit(tx, person_id, source, parts)
        for one in await cover.of_person(tx, person_id, only_open=True):
            if one.kind is CoverKind.RESIDENT:
                await cover_people.end(tx, one, max(now, one.start_month), EndReason.STOPPED)
    else:
        assert account is not None  # it holds something
        await moving.empty(tx, person_id, account, source, office)
    await _book(tx, made)
    tx.audit("BridgePension", person_id=person_id, detail={"bridge_id": ids.to_text("brg", bridge_id)})
    return made, office.policy.version


async def show(tx: Transaction, person_id: UUID) -> tuple[Bridge, str]:
    """Show how a person's account moved between the schemes.

    Raises:
        NotFound: PERSON_NOT_FOUND, BRIDGE_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    if not await people.is_known(tx, person_id):
        raise person_not_found()
    found = await store.of_person(tx, person_id)
    if found is None:
        raise NotFound("BRIDGE_NOT_FOUND", "the person's account never moved between the schemes")
    return found


async def _parts(
    tx: Transaction, person_id: UUID, direction: Direction, account: Account | None, office: Office
) -> tuple[Statement, Sequence[tuple[Month, Money]]]:
    """What moves: its statement, and each part with the month of this year in which it is booked."""
    year = tx.today.year
    if account is not None and account.next_year != year:
        raise Refused("ACCOUNT_YEAR_OPEN", "a year is not closed", source=rules.SOURCE, year=str(account.next_year))
    if direction is Direction.TO_EMPLOYEE:
        opening, monthly = await store.resident_balance(tx, person_id, year)
    else:
        opening = account.closing if account else Money.ZERO
        monthly = account.credits(year).monthly if account else {}
    statement = rules.bridged(direction, opening, monthly, office.policy.bridge_min_years.on(tx.today))
    if statement.total <= Money.ZERO:
        raise Refused("NOTHING_TO_BRIDGE", "the account holds nothing that could move", source=rules.SOURCE)
    january = Month(year, 1)
    if await scheme_years.booking_month(tx, Scheme.RESIDENT_PENSION, january) != january:
        raise Refused("ACCOUNT_YEAR_OPEN", "a year is not closed", source=rules.SOURCE, year=str(year))
    parts = [(january, opening), *((Month(year, number), part) for number, part in monthly.items())]
    return statement, [(month, part) for month, part in parts if part != Money.ZERO]


async def _check(tx: Transaction, person_id: UUID, direction: Direction, office: Office) -> int:
    """The employee months, when nothing stands against the move."""
    person = await people.birth_and_track(tx, person_id)
    assert person is not None  # locked
    birth, track = person
    delay = office.policy.delay_tracks(track)
    of_age = statutory_age(
        Month.of(birth), delay.on(tx.today).value, office.policy.delay_start.on(tx.today).value
    ).month
    paid = len(await transfers.pension_months(tx, person_id))
    now, least = Month.of(tx.today), office.policy.bridge_min_years.on(tx.today)
    rules.check_bridge(direction, paid, of_age=of_age, today=now, min_years=least, age=delay.on(tx.today))
    if await cover.is_retired(tx, person_id):
        raise Refused("PENSION_DRAWN", "the person draws a pension here", source=rules.SOURCE)
    covers = await cover.of_person(tx, person_id, only_open=True)
    if await transfers.is_employed(tx, person_id, now) or any(one.kind is CoverKind.FLEXIBLE for one in covers):
        raise Refused("STILL_INSURED_HERE", "the insurance as an employee has not ended", source=rules.SOURCE)
    unpaid = await accounts.unpaid_month(tx, person_id, now)
    if unpaid is not None:
        raise Refused("MONTHS_UNPAID", "a month is not paid", source=("SIL",), month=str(unpaid))
    if direction is Direction.TO_RESIDENT and not any(one.kind is CoverKind.RESIDENT for one in covers):
        raise Refused("NO_RESIDENT_COVER", "the person is not insured as a resident", source=rules.SOURCE)
    if await cover_overlaps.overlap(tx, person_id):
        raise Refused("OVERLAP_OPEN", "months that were paid twice go back first", source=rules.SOURCE)
    return paid


async def _credit(tx: Transaction, person_id: UUID, source: str, parts: Sequence[tuple[Month, Money]]) -> None:
    booked: dict[Month, Money] = {}
    for month, part in parts:
        booked[month] = booked.get(month, Money.ZERO) + part
    for month, part in sorted(booked.items()):
        balance = await transfers.credit(tx, person_id, f"{source}:{month}", month, part)
        tx.emit(facts.account_credited(person_id, EntryKind.CONTRIBUTION, month, amount=part, balance=balance))


async def _book(tx: Transaction, made: Bridge) -> None:
    origin, target = accounting.RESIDENT_ACCOUNTS, accounting.ACCOUNTS
    if made.direction is Direction.TO_RESIDENT:
        origin, target = target, origin
    await ledger.post(
        tx,
        kind="pension_bridge",
        key=ids.to_text("brg", made.bridge_id),
        postings=[(origin, -made.amount), (target, made.amount)],
        business_date=tx.today,
    )


def _before() -> AlreadyExists:
    return AlreadyExists("BRIDGED_BEFORE", "the person's account moved between the schemes before")
