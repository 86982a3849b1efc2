"""A drawn city as rows of the enrolment database: exactly those that its service would have, written by COPY.

Identities are sealed and indexed by the service's own code with its own keys. Each batch is one transaction of the
chassis, with its audit row; who is registered already is left alone, so a batch that was written changes nothing.
Balances are brought in as an import brings them, with their booking in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from chassis import ledger, transaction
from chassis.database import Database
from chassis.sealed import Sealer
from kernel.identity import TEST_REGION
from kernel.money import Money
from ops.seed import people
from services.enrollment import accounting
from services.enrollment.accounting import ContributionState, EntryKind
from services.enrollment.billing import EMPLOYEE_SCHEMES
from services.enrollment.messages import facts
from services.enrollment.register import (
    SCHEME_CODES,
    Employer,
    EndReason,
    Participation,
    Person,
    Post,
    State,
    Track,
    track_of,
)
from services.enrollment.store import people as store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from chassis.config import Settings
    from chassis.principal import Principal
    from chassis.transaction import Transaction
    from ops.seed.people import Citizen, Firm, Job, Plan

Rows = list[tuple[Any, ...]]
T = TypeVar("T")
CODES = tuple(SCHEME_CODES[scheme] for scheme in EMPLOYEE_SCHEMES)

COLUMNS = {
    "person": ("person_id", "id_no_index", "id_no_sealed", "name_sealed", "birth_date", "sex", "division", "source"),
    "employment": (
        "enrollment_id", "person_id", "employer_id", "post", "track", "start_month", "end_month", "end_reason",
    ),
    "participation": (
        "participation_id", "enrollment_id", "person_id", "employer_id", "scheme", "state", "track", "start_month",
        "end_month", "end_reason",
    ),
    "declared_wage": ("enrollment_id", "from_month", "wage_fen"),
    "account": ("person_id", "balance_fen", "first_year", "closed_through"),
    "account_entry": ("person_id", "kind", "source", "year", "booked_month", "amount_fen"),
    "account_year": (
        "person_id", "year", "opening_fen", "contribution_fen", "interest_fen", "imported_fen", "closing_fen",
        "provisional", "policy_version", "source",
    ),
    "contribution": (
        "person_id", "month", "scheme", "state", "base_fen", "employer_fen", "employee_fen", "import_source",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """What one transaction writes: people from one number to before another, or employers where there are none.

    Args:
        plan: The city.
        settings: Of the enrolment service.
        principal: Who does it.
        today: The business day.
        first: The first number.
        last: The number after the last.
        with_facts: Whether the other services hear of it.
    """

    plan: Plan
    settings: Settings
    principal: Principal
    today: date
    first: int = 0
    last: int = 0
    with_facts: bool = False

    @property
    def source(self) -> str:
        """What each row is marked with."""
        return f"seed:{self.plan.seed}"


class OtherCity(Exception):  # noqa: N818 - read as a sentence
    """The register holds a city of another seed, whose numbers may be the same; the text names the seed."""


async def check(batch: Batch) -> None:
    """Refuse a register that holds another city.

    Raises:
        OtherCity: It does.
    """

    async def work(tx: Transaction) -> str | None:
        row = await tx.fetchrow(
            "SELECT source FROM person WHERE source LIKE 'seed:%' AND source <> $1 LIMIT 1", batch.source
        )
        return row["source"] if row else None

    if other := await _run(batch, work, read_only=True):
        raise OtherCity(other)


async def write_employers(batch: Batch) -> int:
    """Write the employers that are not registered yet; how many."""
    firms = list(people.firms(batch.plan))

    async def work(tx: Transaction) -> int:
        rows = await tx.fetch(
            "SELECT credit_code FROM employer WHERE credit_code = ANY($1)", [firm.credit_code for firm in firms]
        )
        known = {row["credit_code"] for row in rows}
        new = [_employer(firm, batch.plan.first_month.first_day) for firm in firms if firm.credit_code not in known]
        columns = Employer.__slots__
        raw = await tx.raw()
        await raw.copy_records_to_table(
            "employer", records=[tuple(getattr(one, name) for name in columns) for one in new], columns=list(columns)
        )
        if batch.with_facts:
            for one in new:
                tx.emit(facts.employer_registered(one), is_first=True)
        tx.audit("SeedEmployers", detail={"source": batch.source, "employers": str(len(new))})
        return len(new)

    return await _run(batch, work)


async def write_people(batch: Batch) -> int:
    """Write the people of a batch who are not registered yet; how many."""
    drawn = list(people.citizens(batch.plan, batch.first, batch.last))
    return await _run(batch, partial(_write_people, batch=batch, drawn=drawn))


async def _write_people(tx: Transaction, *, batch: Batch, drawn: Sequence[Citizen]) -> int:
    sealer = tx.database.sealer
    index = {store.id_no_index(sealer, one.id_no): one for one in drawn}
    rows = await tx.fetch("SELECT id_no_index FROM person WHERE id_no_index = ANY($1)", list(index))
    for row in rows:
        del index[row["id_no_index"]]
    new = list(index.values())
    if not new:
        return 0
    tables: dict[str, Rows] = {name: [] for name in COLUMNS}
    for one in new:
        _person(tables, one, batch, sealer)
        _jobs(tables, one)
        _account(tables, one, batch)
        _history(tables, one, batch)
    raw = await tx.raw()
    for name, columns in COLUMNS.items():
        if tables[name]:
            await raw.copy_records_to_table(name, records=tables[name], columns=list(columns))
    total = Money(sum(one.balance_fen for one in new))
    if total != Money.ZERO:
        await ledger.post(
            tx,
            kind="imported_balance",
            key=f"{batch.source}/{new[0].number}",
            postings=[(accounting.BROUGHT_IN, -total), (accounting.ACCOUNTS, total)],
            business_date=tx.today,
        )
    if batch.with_facts:
        _tell(tx, new, batch)
    tx.audit("SeedPersons", detail={"source": batch.source, "persons": str(len(new)), "first": str(new[0].number)})
    return len(new)


def _person(tables: dict[str, Rows], one: Citizen, batch: Batch, sealer: Sealer) -> None:
    person = _registered(one)
    index, id_no, name = store.seal_identity(sealer, person)
    tables["person"].append((one.person_id, index, id_no, name, one.birth, one.sex, person.division, batch.source))


def _jobs(tables: dict[str, Rows], one: Citizen) -> None:
    for job in one.jobs:
        end = job.end.first_day if job.end else None
        post, track = _post_and_track(one)
        stretch = (job.start.first_day, end, job.reason)
        tables["employment"].append((job.enrollment_id, one.person_id, job.employer_id, post.value, track, *stretch))
        state = State.ENDED if end else State.ACTIVE
        for participation_id, scheme in zip(job.participation_ids, CODES, strict=True):
            tables["participation"].append(
                (participation_id, job.enrollment_id, one.person_id, job.employer_id, scheme, state, track, *stretch)
            )
        tables["declared_wage"] += [(job.enrollment_id, month.first_day, wage * 100) for month, wage in job.wages]


def _account(tables: dict[str, Rows], one: Citizen, batch: Batch) -> None:
    """A balance at the end of the last year, as an import brings it in."""
    if one.balance_fen:
        year, fen = batch.plan.first_month.year - 1, one.balance_fen
        kind = EntryKind.IMPORTED_BALANCE.value
        tables["account"].append((one.person_id, fen, year, year))
        tables["account_entry"].append((one.person_id, kind, batch.source, year, date(year, 12, 1), fen))
        tables["account_year"].append((one.person_id, year, 0, 0, 0, fen, fen, False, "", batch.source))


def _history(tables: dict[str, Rows], one: Citizen, batch: Batch) -> None:
    paid = ContributionState.PAID.value
    tables["contribution"] += [
        (one.person_id, month.first_day, scheme, paid, base * 100, 0, 0, batch.source)
        for month, base in one.history
        for scheme in CODES
    ]


def _tell(tx: Transaction, new: Sequence[Citizen], batch: Batch) -> None:
    """Say of everybody what the service says: who is registered, what is insured, what was brought in."""
    exchange = Sealer.load(batch.settings.keys_dir / "enrollment-card.exchange.key")
    divisions = {firm.employer_id: firm.division for firm in people.firms(batch.plan)}
    year = batch.plan.first_month.year - 1
    for one in new:
        tx.emit(facts.person_registered(_registered(one), exchange), is_first=True)
        for job in one.jobs:
            for participation in _participations(one, job):
                tx.emit(facts.participation_started(participation, divisions[job.employer_id]), is_first=True)
                if participation.end_month and participation.end_reason:
                    tx.emit(
                        facts.participation_ended(
                            participation, participation.end_month, participation.end_reason, contributions_version=0
                        ),
                        is_first=True,
                    )
        for month, base in reversed(one.history):
            items = dict.fromkeys(EMPLOYEE_SCHEMES, (Money(base * 100), ContributionState.PAID))
            tx.emit(facts.contributions_settled(one.person_id, month, items, batch.source), is_first=True)
        if one.balance_fen:
            balance = Money(one.balance_fen)
            kind, booked = EntryKind.IMPORTED_BALANCE, accounting.end_of(year)
            tx.emit(facts.account_credited(one.person_id, kind, booked, amount=balance, balance=balance), is_first=True)


def _participations(one: Citizen, job: Job) -> list[Participation]:
    _, track = _post_and_track(one)
    reason = EndReason(job.reason) if job.reason else None
    return [
        Participation(
            participation_id=participation_id,
            person_id=one.person_id,
            employer_id=job.employer_id,
            scheme=scheme,
            state=State.ENDED if job.end else State.ACTIVE,
            start_month=job.start,
            end_month=job.end,
            end_reason=reason,
            track=track,
        )
        for participation_id, scheme in zip(job.participation_ids, EMPLOYEE_SCHEMES, strict=True)
    ]


def _post_and_track(one: Citizen) -> tuple[Post, Track]:
    post = Post.MANAGEMENT if one.is_manager else Post.PRODUCTION
    return post, track_of(one.sex, post)


def _registered(one: Citizen) -> Person:
    return Person(one.person_id, one.name, one.id_no, one.birth, one.sex, TEST_REGION)


def _employer(firm: Firm, day: date) -> Employer:
    return Employer(
        employer_id=firm.employer_id,
        credit_code=firm.credit_code,
        name=firm.name,
        division=firm.division,
        injury_class=firm.injury_class,
        injury_step=Decimal(firm.injury_step),
        register_date=day,
    )


async def _run(batch: Batch, work: Callable[[Transaction], Awaitable[T]], *, read_only: bool = False) -> T:
    database = Database(batch.settings)
    try:
        return await transaction.run(
            database,
            work,
            principal=batch.principal,
            today=batch.today,
            method="hrss seed",
            read_only=read_only,
            bulk=not read_only,
        )
    finally:
        await database.close()
