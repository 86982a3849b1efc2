"""Pension relations that move (关系转移接续), step by step, in both directions.

To here: applied for → our contact letter → the form of the old area → its funds: the months count and the account is
credited. From here: applied for → the letter of the new area → our form: the months stop counting and the account is
emptied → our funds → confirmed. Every step locks the transfer and then the person, is taken once, and commits whole.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from chassis import ledger
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, InvalidInput, Refused
from kernel.money import Money
from kernel.statement import Line, Statement
from services.enrollment import accounting, moving
from services.enrollment.accounting import PLATFORM, EntryKind, Year
from services.enrollment.domain.arrears import transfer_fund
from services.enrollment.messages import facts
from services.enrollment.messages import moving as messages
from services.enrollment.moving import SOURCE, Direction, FormYear, Step, Transfer, transfer_not_found
from services.enrollment.operations.office import Office
from services.enrollment.register import Person
from services.enrollment.store import accounts, people
from services.enrollment.store import moving as deliveries
from services.enrollment.store import moving_transfer as store
from services.enrollment.years_file import YearRow

HOME = "3206"  # divisions of this city (policy/divisions.yaml)


async def apply(tx: Transaction, person_id: UUID, direction: Direction, *, other_area: str, office: Office) -> Transfer:
    """Apply for a transfer.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: AREA_INVALID.
        Refused: PENSION_DRAWN, NOT_INSURED_HERE, STILL_INSURED_HERE, MONTHS_UNPAID, ACCOUNT_YEAR_OPEN,
            RELATION_TEMPORARY, NOTHING_TO_TRANSFER.
        AlreadyExists: TRANSFER_OPEN.
    """
    tx.principal.require_person(person_id)
    moving.check_area(other_area, HOME)
    person = await _locked_person(tx, person_id)
    temporary = await _is_temporary(tx, person, direction, other_area=other_area, office=office)
    if direction is Direction.OUT:
        await _check_leaving(tx, person_id)
    one = Transfer(ids.new_id(), person_id, direction, Step.APPLIED, other_area, temporary)
    if not await store.add(tx, one, tx.today):
        raise AlreadyExists("TRANSFER_OPEN", "the person has a transfer that is not over")
    tx.audit("ApplyForTransfer", person_id=person_id, detail={"transfer_id": _key(one)})
    return await _shown(tx, one.transfer_id)


async def letter(tx: Transaction, transfer_id: UUID, letter_no: str = "") -> Transfer:
    """The contact letter: ours to the old area, numbered here, or that of the new area, with its number."""
    direction = Direction.OUT if letter_no else Direction.IN
    one = await _locked(tx, transfer_id, Step.LETTER, direction)
    number = letter_no or _document_no(tx, "LXH")
    await store.keep_letter(tx, transfer_id, number)
    return await _take(tx, one, Step.LETTER, number)


async def receive_form(
    tx: Transaction,
    transfer_id: UUID,
    form_no: str,
    years: Sequence[FormYear],
    *,
    account: Money,
    pooled: Money,
    office: Office,
) -> Transfer:
    """The information form of the old area.

    Raises:
        InvalidInput: FORM_YEARS_INVALID.
        Refused: TRANSFER_STATE_FORBIDS, FORM_AMOUNT_DIFFERS with the amount that the years give, MONTH_RECORDED_HERE
            with the first month that is recorded here.
    """
    moving.check_form(years, tx.today)
    one = await _locked(tx, transfer_id, Step.FORM, Direction.IN)
    await _check_new(tx, one.person_id, years)
    rate = office.policy.transfer_pooled_rate.on(tx.today)
    statement = transfer_fund(account, moving.base_years(years), rate)
    if statement.amount("pooled") != pooled:
        raise Refused(
            "FORM_AMOUNT_DIFFERS",
            "the pooled part is not that of the years",
            field="pooled",
            source=SOURCE,
            amount=str(statement.amount("pooled")),
        )
    await store.keep_form(
        tx, transfer_id, form_no, years=years, statement=statement, policy_version=office.policy.version
    )
    return await _take(tx, one, Step.FORM, form_no)


async def receive_funds(tx: Transaction, transfer_id: UUID, funds_no: str, amount: Money) -> Transfer:
    """The funds of the old area: the relation is here.

    Raises:
        Refused: TRANSFER_STATE_FORBIDS, FUNDS_DIFFER with the amount expected, MONTH_RECORDED_HERE, PENSION_DRAWN.
        AlreadyExists: FUNDS_ALREADY_RECORDED: the payment was recorded for another transfer.
    """
    one = await _locked(tx, transfer_id, Step.FUNDS, Direction.IN)
    assert one.account is not None
    assert one.pooled is not None
    assert one.through is not None
    total = one.account + one.pooled
    if amount != total:
        raise Refused("FUNDS_DIFFER", "the amount is not that of the form", field="amount", amount=str(total))
    await _locked_person(tx, one.person_id)
    await _check_new(tx, one.person_id, one.years)
    if not await store.keep_funds(tx, transfer_id, funds_no):
        raise AlreadyExists("FUNDS_ALREADY_RECORDED", "the payment was recorded before", field="funds_no")
    source = f"transfer:{_key(one)}"
    await store.arrive(tx, one.person_id, one.years, await deliveries.add_source(tx, source))
    if one.account != Money.ZERO:
        await _credit(tx, one, source)
    postings = [
        (accounting.OTHER_AREAS, -total),
        (accounting.ACCOUNTS, one.account),
        (accounting.PENSION_FUND, one.pooled),
    ]
    await _post(tx, "transfer_in", source, postings)
    tx.emit(messages.history_brought_in(one.person_id, _rows(one.years), source))
    tx.emit(messages.relation_transferred(one.person_id, Direction.IN, one.other_area, one.through))
    taken = await _take(tx, one, Step.FUNDS, funds_no)
    return await _take(tx, taken, Step.DONE, "")


async def issue_form(tx: Transaction, transfer_id: UUID, office: Office) -> Transfer:
    """Our information form: what moves is worked out, leaves the account and the fund, and no longer counts here.

    Raises:
        Refused: TRANSFER_STATE_FORBIDS, STILL_INSURED_HERE, MONTHS_UNPAID, ACCOUNT_YEAR_OPEN, PENSION_DRAWN,
            NOTHING_TO_TRANSFER, POLICY_PARAMETER_MISSING.
    """
    one = await _locked(tx, transfer_id, Step.FORM, Direction.OUT)
    await _locked_person(tx, one.person_id)
    years = await _check_leaving(tx, one.person_id)
    account = await accounts.account(tx, one.person_id, lock=True)
    balance = account.balance if account else Money.ZERO
    rate = office.policy.transfer_pooled_rate.on(tx.today)
    statement = transfer_fund(balance, moving.base_years(years), rate)
    if one.temporary:
        statement = _whole(statement, await store.employers_side(tx, one.person_id))
    number = _document_no(tx, "XXB")
    await store.keep_form(
        tx, transfer_id, number, years=years, statement=statement, policy_version=office.policy.version
    )
    await store.leave(tx, one.person_id, transfer_id, years[-1].last)
    source = f"transfer:{_key(one)}"
    if account is not None and balance != Money.ZERO:
        await empty(tx, one.person_id, account, source, office)
    pooled = statement.amount("pooled")
    postings = [
        (accounting.ACCOUNTS, -balance),
        (accounting.PENSION_FUND, -pooled),
        (accounting.TRANSFERS, balance + pooled),
    ]
    await _post(tx, "transfer_out", source, postings)
    tx.emit(messages.relation_transferred(one.person_id, Direction.OUT, one.other_area, years[-1].last))
    return await _take(tx, one, Step.FORM, number)


async def send_funds(tx: Transaction, transfer_id: UUID) -> Transfer:
    """Pay what our form states."""
    one = await _locked(tx, transfer_id, Step.FUNDS, Direction.OUT)
    assert one.account is not None
    assert one.pooled is not None
    total = one.account + one.pooled
    number = _document_no(tx, "ZJ")
    await store.keep_funds(tx, transfer_id, number)
    postings = [(accounting.TRANSFERS, -total), (accounting.OTHER_AREAS, total)]
    await _post(tx, "transfer_paid", f"transfer-paid:{_key(one)}", postings)
    return await _take(tx, one, Step.FUNDS, number)


async def confirm(tx: Transaction, transfer_id: UUID) -> Transfer:
    """The new area has the relation."""
    one = await _locked(tx, transfer_id, Step.DONE, Direction.OUT)
    return await _take(tx, one, Step.DONE, "")


async def refuse(tx: Transaction, transfer_id: UUID, reason: str) -> Transfer:
    """End a transfer before anything moved.

    Raises:
        InvalidInput: TRANSFER_REASON_REQUIRED.
        Refused: TRANSFER_STATE_FORBIDS.
    """
    if not 1 <= len(reason.strip()) <= moving.REASON_MAX:
        raise InvalidInput("TRANSFER_REASON_REQUIRED", "a refusal has a reason of 1 to 200 characters", field="reason")
    one = await _locked(tx, transfer_id, Step.REFUSED)
    return await _take(tx, one, Step.REFUSED, "", refusal=reason.strip())


async def transfer(tx: Transaction, transfer_id: UUID) -> Transfer:
    """Show a transfer.

    Raises:
        NotFound: TRANSFER_NOT_FOUND; PERSON_NOT_FOUND for a person whose it is not.
    """
    one = await store.transfer(tx, transfer_id)
    if one is None:
        raise transfer_not_found()
    tx.principal.require_person(one.person_id)
    return one


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[Transfer]:
    """List the transfers of a person, newest first.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    if not await people.is_known(tx, person_id):
        raise person_not_found()
    return await store.of_person(tx, person_id)


async def open_ones(tx: Transaction, size: int) -> Sequence[Transfer]:
    """List the transfers that wait, oldest first.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID.
    """
    if not 0 <= size <= 200:  # noqa: PLR2004 - as everywhere
        raise InvalidInput("PAGE_SIZE_INVALID", "a page has 1 to 200 rows", field="page_size")
    return await store.open_ones(tx, size or 50)


async def _is_temporary(
    tx: Transaction, person: Person, direction: Direction, *, other_area: str, office: Office
) -> bool:
    """Whether the relation that moves is a temporary account on its way home; one is never moved anywhere else.

    The home is taken from the identity number, because no household register is known here (assumed).

    Raises:
        Refused: NOT_INSURED_HERE, RELATION_TEMPORARY.
    """
    age = office.policy.temporary_age(person.sex, tx.today)
    first = await store.first_insured(tx, person.person_id)
    is_from_here = person.division.startswith(HOME)
    began_late = first is not None and moving.age_on(person.birth_date, first.first_day) >= age
    if direction is Direction.IN:
        if first is None:
            raise Refused("NOT_INSURED_HERE", "the person is not insured here", source=SOURCE)
        if began_late and not is_from_here:
            raise _temporary()
        return False
    is_home = other_area[:4] == person.division[:4]
    if not is_home and moving.age_on(person.birth_date, tx.today) >= age:
        raise _temporary()
    return began_late and not is_from_here


async def _check_leaving(tx: Transaction, person_id: UUID) -> Sequence[FormYear]:
    """The lines of the form of a relation that may leave."""
    now = Month.of(tx.today)
    if await store.is_employed(tx, person_id, now):
        raise Refused("STILL_INSURED_HERE", "the employment here has not ended", source=SOURCE)
    unpaid = await accounts.unpaid_month(tx, person_id, now)
    if unpaid is not None:
        raise Refused("MONTHS_UNPAID", "a month is not paid", source=("SIL",), month=str(unpaid))
    years = moving.form_years(await store.pension_months(tx, person_id))
    if not years:
        raise Refused("NOTHING_TO_TRANSFER", "no month of the pension counts here", source=SOURCE)
    account = await accounts.account(tx, person_id)
    if account is not None and account.settle_month is not None:
        raise _retired()
    if account is not None and account.next_year != now.year:
        raise Refused("ACCOUNT_YEAR_OPEN", "a year is not closed", source=SOURCE, year=str(account.next_year))
    return years


async def _check_new(tx: Transaction, person_id: UUID, years: Sequence[FormYear]) -> None:
    """Months insured twice count once: a form brings none that are recorded here."""
    held = {month for month, _, _ in await store.pension_months(tx, person_id)} | await store.billed(tx, person_id)
    for one in years:
        for month in Month.range(Month(one.year, one.first_month), one.last):
            if month in held:
                raise Refused(
                    "MONTH_RECORDED_HERE", "a month of the form is recorded here", field="years", month=str(month)
                )


async def _credit(tx: Transaction, one: Transfer, source: str) -> None:
    assert one.account is not None
    account = await accounts.account(tx, one.person_id, lock=True)
    if account is not None and account.settle_month is not None:
        raise _retired()
    booked = accounting.booking_month(tx.today, account.closed_through if account else None)
    balance = await store.credit(tx, one.person_id, source, booked, one.account)
    tx.emit(facts.account_credited(one.person_id, EntryKind.CONTRIBUTION, booked, amount=one.account, balance=balance))


async def empty(tx: Transaction, person_id: UUID, account: accounting.Account, source: str, office: Office) -> None:
    """The year in which an account leaves is closed without interest: the new area books it (assumed)."""
    month = Month.of(tx.today)
    credits_ = account.credits(month.year)
    moved = account.balance
    items = tuple((f"{month.year}-{number:02d}", str(amount)) for number, amount in sorted(credits_.monthly.items()))
    lines = (
        Line("opening", account.closing, "期初余额", "Balance brought forward", str(account.closing), sources=SOURCE),
        Line(
            "contribution",
            credits_.total,
            "本年记入",
            "Credited in the year",
            " + ".join(amount for _, amount in items) or "0",
            inputs=items,
            sources=SOURCE,
        ),
        Line("moved", -moved, "随关系转出", "Left with the relation", str(-moved), sources=SOURCE),
    )
    year = Year(
        year=month.year,
        opening=account.closing,
        contribution=credits_.total,
        interest=Money.ZERO,
        imported=Money.ZERO,
        closed=True,
        statement=Statement(lines),
        source=PLATFORM,
    )
    await store.empty(tx, person_id, source, month=month, year=year, moved=moved, policy_version=office.policy.version)
    tx.emit(facts.account_credited(person_id, EntryKind.TRANSFERRED_OUT, month, amount=-moved, balance=Money.ZERO))


def _whole(statement: Statement, employers: Money) -> Statement:
    """Of a temporary account the whole contribution moves: all that employers paid, in place of the 12 % part."""
    pooled = replace(
        statement.line("pooled"),
        amount=employers,
        title_zh="单位缴费全额（临时账户）",
        title_en="All that employers paid (temporary account)",
        formula=str(employers),
        inputs=(),
        parameters=(),
    )
    return Statement((statement.line("account"), pooled))


def _rows(years: Sequence[FormYear]) -> list[YearRow]:
    rows = []
    for one in years:
        mask = ((1 << one.month_count) - 1) << (one.first_month - 1)
        deemed = mask if one.state is accounting.ContributionState.DEEMED else 0
        rows.append(YearRow(0, one.year, moving.PENSION, mask, deemed, (one.base.fen,), ""))
    return rows


async def _post(tx: Transaction, kind: str, key: str, postings: Sequence[tuple[str, Money]]) -> None:
    moved = [(name, amount) for name, amount in postings if amount != Money.ZERO]
    if moved:
        await ledger.post(tx, kind=kind, key=key, postings=moved, business_date=tx.today)


async def _take(
    tx: Transaction, one: Transfer, step: Step, document_no: str, *, refusal: str | None = None
) -> Transfer:
    await store.move(tx, one.transfer_id, step, refusal=refusal)
    await store.add_step(tx, one.transfer_id, step, tx.today, document_no)
    tx.audit(f"Transfer{step.capitalize()}", person_id=one.person_id, detail={"transfer_id": _key(one)})
    return await _shown(tx, one.transfer_id)


async def _locked(tx: Transaction, transfer_id: UUID, to: Step, direction: Direction | None = None) -> Transfer:
    one = await store.transfer(tx, transfer_id, lock=True)
    if one is None:
        raise transfer_not_found()
    moving.check_step(one, to, direction)
    return one


async def _locked_person(tx: Transaction, person_id: UUID) -> Person:
    if not await people.lock(tx, [person_id]):
        raise person_not_found()
    found = await people.person(tx, person_id)
    assert found is not None
    if found.retirement_month is not None:
        raise _retired()
    return found


async def _shown(tx: Transaction, transfer_id: UUID) -> Transfer:
    one = await store.transfer(tx, transfer_id)
    assert one is not None
    return one


def _document_no(tx: Transaction, kind: str) -> str:
    return f"{kind}-{tx.today:%Y%m%d}-{secrets.token_hex(4).upper()}"


def _key(one: Transfer) -> str:
    return ids.to_text("trf", one.transfer_id)


def _retired() -> Refused:
    return Refused("PENSION_DRAWN", "the person draws a pension here", source=SOURCE)


def _temporary() -> Refused:
    return Refused(
        "RELATION_TEMPORARY",
        "in a new place men of 50 and women of 40 have a temporary account, and the relation stays where it is",
        source=SOURCE,
    )
