"""A city of benefits as rows of the benefits database, written by COPY: who draws what, determined, with its amounts.

`write(connection, persons, seed)` makes people who draw an employee pension or, one of fifty, an unemployment benefit:
person, participation, determination, payee, benefit and its first amount. They were taken over from the bureau's old
system: the platform pays them from `FIRST_MONTH` on and has paid nothing before. The same seed gives the same city, and
a larger one contains the smaller; who is there already is left alone.

Amounts are real: each is the total of a statement that the service's own calculation made, from inputs that are stored
with it, so that every benefit recomputes. There are `PROFILES` of these; people share them, as equal calculations are
stored once anyway. Nothing in it is statistics: *assumed* are ages, wages and shares. Not written are contribution
years, accounts and events; one executed approval of the take-over stands behind all determinations.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chassis.policy import open_policy
from kernel.calendar import Month
from kernel.money import Money
from ops.home import ROOT
from services.benefits import calculation
from services.benefits.calculation import PensionInputs, UnemploymentInputs, canonical
from services.benefits.domain.retirement import Track
from services.benefits.history import History, YearRecord
from services.benefits.lifecycle import Kind
from services.benefits.policy import BenefitsPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import asyncpg

    from chassis.sealed import Sealer
    from services.benefits.calculation import Calculation

    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

FIRST_MONTH = Month(2026, 1)
PROFILES = 1_000
BATCH = 10_000  # persons whose rows stand in memory at once
UNEMPLOYED_EVERY = 50
MAKER, CHECKER = "seed|maker", "seed|checker"
DIVISION = "320613"
_AGES = {Track.MALE_60: 60, Track.FEMALE_55: 55, Track.FEMALE_50: 50}
_SEXES = {Track.MALE_60: "MALE", Track.FEMALE_55: "FEMALE", Track.FEMALE_50: "FEMALE"}
_FIRST_RETIREMENT, _RETIREMENTS = 2016, 10  # years of which the calculation base is known
_FIRST_YEAR = 1998  # of contributions: from here on every yearly base of the index is known
_DAY = date(2025, 12, 20)
_AT = datetime(2025, 12, 20, tzinfo=UTC)
_COLUMNS = {
    "person": ("person_id", "birth_date", "sex", "division"),
    "participation": (
        "participation_id", "person_id", "employer_id", "scheme", "start_month", "end_month", "end_reason", "track",
        "division",
    ),
    "payee": ("payee_id", "person_id", "name_sealed", "account_sealed", "account_index", "account_tail"),
    "determination": (
        "determination_id", "person_id", "kind", "state", "first_month", "last_month", "event_month", "division",
        "digest", "payee_id", "notes", "approval_id", "maker", "prepare_date", "checker", "decide_date",
    ),
    "benefit": (
        "benefit_id", "determination_id", "person_id", "kind", "state", "monthly_fen", "first_month", "last_month",
        "next_month", "event_month", "provisional", "division", "digest", "payee_id",
    ),
    "benefit_amount": ("benefit_id", "number", "from_month", "amount_fen", "digest", "cause", "business_date"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """A life of contributions that many people share, and what it is worth."""

    kind: Kind
    track: Track
    birth: Month
    start: Month
    event: Month
    last: Month | None
    made: Calculation


def law() -> BenefitsPolicy:
    """The law with the values of the demonstration's bureau."""
    return BenefitsPolicy(open_policy(None, ROOT / "policy" / "local" / "demo.yaml"))


def profiles(policy: BenefitsPolicy, seed: int, count: int = PROFILES) -> Sequence[Profile]:
    """Lives to choose from; every `UNEMPLOYED_EVERY`-th of them lost an employment, the others are retired."""
    draw = random.Random(f"benefits/{seed}")  # noqa: S311 - no secret
    return [
        _unemployed(policy, draw) if place % UNEMPLOYED_EVERY == UNEMPLOYED_EVERY - 1 else _retired(policy, draw)
        for place in range(count)
    ]


async def write(
    connection: Connection,
    persons: int,
    seed: int,
    *,
    policy: BenefitsPolicy | None = None,
    sealer: Sealer | None = None,
    variety: int = PROFILES,
) -> int:
    """Write the people who are not there yet, in transactions of `BATCH`; how many.

    Args:
        connection: To the benefits database; in a transaction of the caller everything is one.
        persons: How many there shall be.
        seed: Which city.
        policy: The law; by default that of the demonstration.
        sealer: Seals names and accounts as the service does. Without one they are bytes that open to nothing, which is
            enough for everything but files for a bank, and saves half of the time.
        variety: How many different lives there are.
    """
    lives = profiles(policy or law(), seed, variety)
    await _write_calculations(connection, lives)
    approval_id = _id(seed, 0, "approval")
    await connection.execute(
        """
        INSERT INTO approval (id, kind, subject, payload_hash, maker_person, checker_person, state, created, expires,
                              decided, executed)
        VALUES ($1, 'take_over', $2, sha256(convert_to($2, 'UTF8')), $3, $4, 'EXECUTED', $5, $5, $5, $5)
        ON CONFLICT DO NOTHING
        """,
        approval_id,
        f"seed:{seed}",
        MAKER,
        CHECKER,
        _AT,
    )
    written = 0
    for first in range(0, persons, BATCH):
        numbers = range(first, min(first + BATCH, persons))
        ids = [_id(seed, number, "person") for number in numbers]
        rows = await connection.fetch("SELECT person_id FROM person WHERE person_id = ANY ($1::uuid[])", ids)
        known = {row["person_id"] for row in rows}
        new = [number for number, person_id in zip(numbers, ids, strict=True) if person_id not in known]
        if not new:
            continue
        tables: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _COLUMNS}
        for number in new:
            _add(tables, _Place(seed, number, lives[number % len(lives)], approval_id), sealer)
        async with connection.transaction():
            for name, columns in _COLUMNS.items():
                await connection.copy_records_to_table(name, records=tables[name], columns=list(columns))
        written += len(new)
    return written


@dataclass(frozen=True, slots=True)
class _Place:
    seed: int
    number: int
    life: Profile
    approval_id: UUID


def _add(tables: dict[str, list[tuple[Any, ...]]], place: _Place, sealer: Sealer | None) -> None:
    seed, number, life, approval_id = place.seed, place.number, place.life, place.approval_id
    person_id, benefit_id = _id(seed, number, "person"), _id(seed, number, "benefit")
    determination_id, payee_id = _id(seed, number, "determination"), _id(seed, number, "payee")
    digest, fen, kind = life.made.digest, life.made.statement.total.fen, life.kind.value
    first = FIRST_MONTH.first_day
    last = life.last.first_day if life.last else None
    start, event = life.start.first_day, life.event.first_day
    birth = date(life.birth.year, life.birth.month, 1 + number // len(_AGES) % 28)
    reason = "DISMISSED" if life.kind is Kind.UNEMPLOYMENT else "RETIRED"
    account = f"62{seed % 1000:03d}{number:014d}"
    if sealer is None:
        name_sealed, account_sealed, index = b"\0", b"\0", hashlib.sha256(account.encode()).digest()[:16]
    else:
        name_sealed = sealer.seal("payee", "name", payee_id, "测试")
        account_sealed = sealer.seal("payee", "account", payee_id, account)
        index = sealer.blind_index("account", account)
    tables["person"].append((person_id, birth, _SEXES[life.track], DIVISION))
    for scheme in ("EMPLOYEE_PENSION", "UNEMPLOYMENT"):
        tables["participation"].append(
            (_id(seed, number, scheme), person_id, _id(seed, number % 1000, "employer"), scheme, start, event, reason,
             life.track.value, DIVISION)
        )  # fmt: skip
    tables["payee"].append((payee_id, person_id, name_sealed, account_sealed, index, account[-4:]))
    tables["determination"].append(
        (determination_id, person_id, kind, "APPROVED", first, last, event, DIVISION, digest, payee_id, "[]",
         approval_id, MAKER, _DAY, CHECKER, _DAY)
    )  # fmt: skip
    tables["benefit"].append(
        (benefit_id, determination_id, person_id, kind, "ACTIVE", fen, first, last, first, event,
         life.made.statement.provisional, DIVISION, digest, payee_id)
    )  # fmt: skip
    tables["benefit_amount"].append((benefit_id, 1, first, fen, digest, "DETERMINED", _DAY))


def _retired(policy: BenefitsPolicy, draw: random.Random) -> Profile:
    """Somebody who retired in their statutory month in one of the years of which the calculation base is known."""
    track = draw.choice(list(Track))
    year = _FIRST_RETIREMENT + draw.randrange(_RETIREMENTS)
    birth = Month(year - _AGES[track], draw.randrange(1, 13))
    retired = calculation.retirement_of(track, birth, policy).statutory
    if retired >= FIRST_MONTH:  # the delay carried them past the end of the table
        birth = birth.plus(-12)
        retired = calculation.retirement_of(track, birth, policy).statutory
    start = min(_FIRST_YEAR + draw.randrange(4), retired.year - 16)
    wage = draw.randrange(3_000, 24_000) * 100
    years = dict(_years(Month(start, 1), retired.previous, wage))
    balance = Money(sum(sum(one.bases_fen) for one in years.values()) * 8 // 100)
    inputs = PensionInputs(birth, track, retired, History.of_years(years), balance)
    made = calculation.calculate_pension(inputs, policy)
    return Profile(Kind.EMPLOYEE_PENSION, track, birth, Month(start, 1), retired, None, made)


def _unemployed(policy: BenefitsPolicy, draw: random.Random) -> Profile:
    """Somebody whose employment ended in the month before the one in which they registered."""
    track = Track.MALE_60
    start, event = Month(2014 + draw.randrange(3), 1), FIRST_MONTH.plus(-2)
    years = dict(_years(start, event, draw.randrange(4_500, 16_000) * 100))
    inputs = UnemploymentInputs(History.of_years(years), event, FIRST_MONTH.previous.first_day, DIVISION)
    terms = calculation.unemployment_terms(inputs, policy)
    made = calculation.calculate_unemployment(inputs, FIRST_MONTH, policy)
    birth = Month(1970 + draw.randrange(25), draw.randrange(1, 13))
    return Profile(Kind.UNEMPLOYMENT, track, birth, start, event, terms.last_month, made)


def _years(first: Month, last: Month, wage: int) -> Iterator[tuple[int, YearRecord]]:
    """Months paid throughout, on a wage that was smaller the earlier it was."""
    for year in range(first.year, last.year + 1):
        base = max(wage * (100 - 3 * (last.year - year)) // 100, wage // 3)
        inside = [first <= Month(year, month) <= last for month in range(1, 13)]
        yield (
            year,
            YearRecord(tuple(base if one else 0 for one in inside), "".join("P" if one else "." for one in inside)),
        )


async def _write_calculations(connection: Connection, lives: Sequence[Profile]) -> None:
    made = list({one.made.digest: one.made for one in lives}.values())
    await connection.execute(
        """
        INSERT INTO calculation (digest, kind, policy_version, inputs, statement, total_fen, provisional)
        SELECT digest, kind, version, inputs::jsonb, statement::jsonb, total, provisional
        FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::boolean[])
          AS one (digest, kind, version, inputs, statement, total, provisional)
        ON CONFLICT (digest) DO NOTHING
        """,
        [one.digest for one in made],
        [one.kind.value for one in made],
        [one.policy_version for one in made],
        [canonical(one.inputs) for one in made],
        [canonical(one.statement.to_plain()) for one in made],
        [one.statement.total.fen for one in made],
        [one.statement.provisional for one in made],
    )


def _id(seed: int, number: int, what: str) -> UUID:
    """An id that every run draws again (UUID version 7, spread over the ten years before the city came)."""
    drawn = int.from_bytes(hashlib.blake2b(f"{seed}/{number}/{what}".encode(), digest_size=16).digest(), "big")
    until = (FIRST_MONTH.year - 1970) * 31_556_952_000
    millisecond = until - (drawn >> 80) % (10 * 365 * 86_400_000)
    return UUID(
        int=(millisecond << 80) | (0x7 << 76) | (drawn >> 64 & 0xFFF) << 64 | 0b10 << 62 | drawn & (1 << 62) - 1
    )
