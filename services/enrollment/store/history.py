"""Imported history: persons, months and balances by the thousand, each with one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.accounting import ContributionState
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import SCHEME_CODES, SCHEMES, Person, Stretch
from services.enrollment.store import people

ADD_PEOPLE = """
    INSERT INTO person (person_id, id_no_index, id_no_sealed, name_sealed, birth_date, sex, division, source)
    SELECT * FROM unnest(
        $1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::date[], $6::text[], $7::text[], $8::text[]
    )
    ON CONFLICT (id_no_index) DO NOTHING RETURNING person_id
"""
# A number of a record that went up in another finds the survivor.
KNOWN = """
    SELECT person.person_id, one.id_no_index, person.name_sealed, person.retirement_month, person.died_on
    FROM person JOIN (
        SELECT id_no_index, coalesce(merged_into, person_id) AS stands FROM person WHERE id_no_index = ANY($1)
    ) AS one ON one.stands = person.person_id
    ORDER BY person.person_id FOR UPDATE OF person
"""
FORMER = "SELECT id_no_index FROM former_number WHERE id_no_index = ANY($1)"
OPEN_ACCOUNTS = """
    INSERT INTO account AS mine (person_id, balance_fen, first_year, closed_through)
    SELECT person_id, balance_fen, year, year FROM unnest($1::uuid[], $2::integer[], $3::bigint[])
        AS brought (person_id, year, balance_fen) ORDER BY person_id
    ON CONFLICT (person_id) DO UPDATE SET balance_fen = mine.balance_fen + excluded.balance_fen,
        first_year = excluded.first_year, closed_through = excluded.closed_through
    RETURNING person_id, balance_fen
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A person who stands in the register; locked."""

    person_id: UUID
    name: str
    is_retired: bool
    is_dead: bool = False


@dataclass(frozen=True, slots=True)
class Contribution:
    """A contribution month to be stored."""

    person_id: UUID
    month: Month
    scheme: Scheme
    state: ContributionState
    base: Money
    source: str
    employer_code: str


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance to be brought in."""

    person_id: UUID
    year: int
    amount: Money
    source: str


async def known(tx: Transaction, numbers: Iterable[str]) -> Mapping[str, Known]:
    """The registered persons among some numbers, by number, locked in the order of their ids."""
    sealer = tx.database.sealer
    by_index = {people.id_no_index(sealer, number): number for number in numbers}
    rows = await tx.fetch(KNOWN, list(by_index))
    return {
        by_index[row["id_no_index"]]: Known(
            row["person_id"],
            people.open_name(sealer, row["person_id"], row["name_sealed"]),
            row["retirement_month"] is not None,
            row["died_on"] is not None,
        )
        for row in rows
    }


async def add_people(tx: Transaction, new: Sequence[tuple[Person, str]]) -> set[UUID]:
    """Register persons with the source of each; those who were registered meanwhile are left out of the answer."""
    sealer = tx.database.sealer
    rows = sorted(
        (*people.seal_identity(sealer, one), one.person_id, one.birth_date, one.sex, one.division, source)
        for one, source in new
    )  # by index, so that two chunks with the same persons wait for each other in one order
    index, id_no, name, person_id, birth, sex, division, source = (list(column) for column in zip(*rows, strict=True))
    found = await tx.fetch(ADD_PEOPLE, person_id, index, id_no, name, birth, sex, division, source)
    return {row["person_id"] for row in found}


async def stretches(tx: Transaction, person_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Stretch]]:
    """The employments of persons on this platform."""
    rows = await tx.fetch(
        "SELECT person_id, start_month, end_month FROM employment WHERE person_id = ANY($1)", list(person_ids)
    )
    found: dict[UUID, list[Stretch]] = {}
    for row in rows:
        end = Month.of(row["end_month"]) if row["end_month"] else None
        found.setdefault(row["person_id"], []).append(Stretch(Month.of(row["start_month"]), end))
    return found


Held = Mapping[tuple[UUID, Month], Mapping[Scheme, tuple[Money, ContributionState]]]


async def held(tx: Transaction, months: Iterable[tuple[UUID, Month]]) -> Held:
    """What is recorded of some person-months: base and state by scheme."""
    keys = list(months)
    rows = await tx.fetch(
        """
        SELECT one.person_id, one.month, scheme, base_fen, state
        FROM unnest($1::uuid[], $2::date[]) AS one (person_id, month) CROSS JOIN LATERAL (
            SELECT scheme, base_fen, state FROM contribution
            WHERE person_id = one.person_id AND month = one.month OFFSET 0
        ) AS held
        ORDER BY 1, 2, 3
        """,
        [person_id for person_id, _ in keys],
        [month.first_day for _, month in keys],
    )
    found: dict[tuple[UUID, Month], dict[Scheme, tuple[Money, ContributionState]]] = {}
    for row in rows:
        schemes = found.setdefault((row["person_id"], Month.of(row["month"])), {})
        schemes[SCHEMES[row["scheme"]]] = (Money(row["base_fen"]), ContributionState(row["state"]))
    return found


async def add_months(tx: Transaction, months: Sequence[Contribution]) -> None:
    """Store contribution months that are not recorded yet."""
    raw = await tx.raw()
    await raw.copy_records_to_table(
        "contribution",
        records=[
            (
                one.person_id,
                one.month.first_day,
                SCHEME_CODES[one.scheme],
                one.state.value,
                one.base.fen,
                0,
                0,
                one.source,
                one.employer_code or None,
            )
            for one in months
        ],
        columns=[
            "person_id", "month", "scheme", "state", "base_fen", "employer_fen", "employee_fen", "import_source",
            "employer_code",
        ],
    )  # fmt: skip


async def accounts(tx: Transaction, person_ids: Sequence[UUID]) -> Mapping[UUID, tuple[int, int | None, bool]]:
    """First year, last closed year and whether settled, of the accounts that exist; locked in order."""
    rows = await tx.fetch(
        """
        SELECT person_id, first_year, closed_through, settle_month IS NOT NULL AS settled FROM account
        WHERE person_id = ANY($1) ORDER BY person_id FOR UPDATE
        """,
        list(person_ids),
    )
    return {row["person_id"]: (row["first_year"], row["closed_through"], row["settled"]) for row in rows}


async def imported_balances(tx: Transaction, person_ids: Sequence[UUID]) -> Mapping[UUID, tuple[int, Money]]:
    """Year and amount of the balances brought in before."""
    rows = await tx.fetch(
        "SELECT person_id, year, imported_fen FROM account_year WHERE person_id = ANY($1) AND source <> 'platform'",
        list(person_ids),
    )
    return {row["person_id"]: (row["year"], Money(row["imported_fen"])) for row in rows}


async def add_balances(tx: Transaction, balances: Sequence[Balance]) -> Mapping[UUID, Money]:
    """Bring balances in as closed years of the accounts; the balances after."""
    rows = await tx.fetch(
        OPEN_ACCOUNTS,
        [one.person_id for one in balances],
        [one.year for one in balances],
        [one.amount.fen for one in balances],
    )
    raw = await tx.raw()
    await raw.copy_records_to_table(
        "account_entry",
        records=[
            (one.person_id, "IMPORTED_BALANCE", one.source, one.year, date(one.year, 12, 1), one.amount.fen)
            for one in balances
            if one.amount != Money.ZERO
        ],
        columns=["person_id", "kind", "source", "year", "booked_month", "amount_fen"],
    )
    await raw.copy_records_to_table(
        "account_year",
        records=[
            (one.person_id, one.year, 0, 0, 0, one.amount.fen, one.amount.fen, False, "", one.source)
            for one in balances
        ],
        columns=[
            "person_id", "year", "opening_fen", "contribution_fen", "interest_fen", "imported_fen", "closing_fen",
            "provisional", "policy_version", "source",
        ],
    )  # fmt: skip
    return {row["person_id"]: Money(row["balance_fen"]) for row in rows}
