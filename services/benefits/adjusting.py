"""Changes of many amounts (待遇调整批次) as values: their states, their terms, and statements made again from terms.

The statement of an adjusted pension is not stored with every person: a run keeps its terms (the row of law with the
amounts of the year) once, a person's calculation keeps three numbers, and `again` makes the same statement from them
whenever somebody looks. Pure values.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, Protocol, Self, TypeVar
from uuid import UUID

from kernel.calendar import Month, parse_date
from kernel.dated import Confidence, DatedValue
from kernel.errors import InvalidInput, Refused
from kernel.money import Money
from kernel.statement import Statement
from services.benefits.calculation import Calculation, canonical
from services.benefits.domain.adjustment import (
    AdjustmentFacts,
    Amounts,
    TiltBand,
    YearBand,
    adjust,
    effective_month,
    full_years,
)
from services.benefits.lifecycle import Kind

ADJUSTABLE = frozenset(
    {Kind.EMPLOYEE_PENSION, Kind.GOVERNMENT_PENSION}
)  # 企业和机关事业单位退休人员 (assumed: one notice)


class Purpose(StrEnum):
    """What a run is for."""

    ANNUAL = "ANNUAL"  # 年度调整
    RECOMPUTATION = "RECOMPUTATION"  # 参数公布后重算
    WHAT_IF = "WHAT_IF"  # 参数变动测算


class RunState(StrEnum):
    """Where a run stands."""

    DRAFT = "DRAFT"
    DRY_RUN = "DRY_RUN"
    APPROVED = "APPROVED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    REVERSING = "REVERSING"
    REVERSED = "REVERSED"
    DISCARDED = "DISCARDED"


class AmountsSource(StrEnum):
    """Where the amounts of an annual adjustment come from."""

    POLICY = "POLICY"  # the row of the year in the policy files, or in the bureau's reviewed value file
    DEMO = "DEMO"  # amounts that nobody published; never in production
    NOTICE = "NOTICE"  # a published notice, written down by the maker and reviewed by the checker


@dataclass(frozen=True, slots=True)
class Terms:
    """What an annual adjustment rests on: the year and the row of law with its amounts."""

    year: int
    law: DatedValue[Amounts]

    @property
    def from_month(self) -> Month:
        """First month of the new amounts."""
        return effective_month(self.year)

    @property
    def digest(self) -> bytes:
        """SHA-256 over all of it."""
        return hashlib.sha256(canonical(self.to_plain()).encode()).digest()

    def to_plain(self) -> dict[str, Any]:
        """As plain values for JSON."""
        law, amounts = self.law, self.law.value
        return {
            "year": self.year,
            "flat_fen": amounts.flat.fen,
            "per_year": [[band.upto_years, str(band.amount)] for band in amounts.per_year],
            "percent": str(amounts.percent),
            "tilt": [[band.age_from, band.age_to, band.amount.fen] for band in amounts.tilt],
            "per_year_minimum_fen": _fen(amounts.per_year_minimum),
            "increase_minimum_fen": _fen(amounts.increase_minimum),
            "law": {
                "from": law.from_.isoformat(),
                "to": law.to.isoformat() if law.to else None,
                "confidence": law.confidence.value,
                "source": list(law.source),
                "key": law.key,
                "file": law.file,
                "provisional": law.provisional,
            },
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_plain` wrote."""
        law = plain["law"]
        amounts = Amounts(
            flat=Money(plain["flat_fen"]),
            per_year=tuple(YearBand(upto, Decimal(amount)) for upto, amount in plain["per_year"]),
            percent=Decimal(plain["percent"]),
            tilt=tuple(TiltBand(low, high, Money(fen)) for low, high, fen in plain["tilt"]),
            per_year_minimum=_money(plain["per_year_minimum_fen"]),
            increase_minimum=_money(plain["increase_minimum_fen"]),
        )
        row = DatedValue(
            value=amounts,
            from_=parse_date(law["from"]) if law["from"] != date.min.isoformat() else date.min,
            to=parse_date(law["to"]) if law["to"] else None,
            confidence=Confidence(law["confidence"]),
            source=tuple(law["source"]),
            key=law["key"],
            file=law["file"],
            provisional=law["provisional"],
        )
        return cls(plain["year"], row)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a person brings to an adjustment: the pension before in fen, contribution months, age at the end of year."""

    before_fen: int
    months: int
    age: int

    def to_plain(self) -> dict[str, int]:
        """As plain values for JSON."""
        return {"before_fen": self.before_fen, "months": self.months, "age": self.age}


@dataclass(frozen=True)
class Adjusted(Calculation):
    """A calculation that was made again from terms; its digest is the one it is stored under."""

    stored_digest: bytes
    terms: Terms
    terms_id: UUID

    @cached_property
    def digest(self) -> bytes:
        """The digest of :func:`digest_of`: terms, benefit and facts, of which the statement follows."""
        return self.stored_digest

    @property
    def facts(self) -> Facts:
        """What the person brought to it."""
        return Facts(**self.inputs)


def again(
    kind: Kind, policy_version: str, inputs: Mapping[str, Any], terms: Terms, terms_id: UUID, *, digest: bytes
) -> Adjusted:
    """The calculation of an adjusted pension, statement included, from what is stored of it."""
    statement = statement_of(Facts(**inputs), terms)
    return Adjusted(kind, policy_version, dict(inputs), statement, digest, terms, terms_id)


def statement_of(facts: Facts, terms: Terms) -> Statement:
    """How a pension becomes the adjusted one, line by line."""
    return adjust(AdjustmentFacts(Money(facts.before_fen), full_years(facts.months), facts.age), terms.law).statement


def follow(made: Adjusted, before: Money, benefit_id: UUID) -> Adjusted:
    """The same adjustment upon another pension: how it follows a new determination."""
    facts = replace(made.facts, before_fen=before.fen)
    digest = digest_of(made.terms.digest, benefit_id, facts.before_fen, facts.months, facts.age)
    return again(made.kind, made.policy_version, facts.to_plain(), made.terms, made.terms_id, digest=digest)


def digest_of(terms_digest: bytes, benefit_id: UUID, before_fen: int, months: int, age: int) -> bytes:
    """What a person's calculation is stored under, by what they bring to it; see `Facts`."""
    text = b"adjusted|%b|%b|%d|%d|%d" % (terms_digest, benefit_id.bytes, before_fen, months, age)
    return hashlib.sha256(text).digest()


def approval_digest(purpose: Purpose, terms: Mapping[str, Any], kinds: Iterable[str], impact_digest: bytes) -> bytes:
    """What the second person approves: parameters and dry run."""
    content = {
        "purpose": purpose.value,
        "terms": dict(terms),
        "kinds": sorted(kinds),
        "impact": impact_digest.hex(),
    }
    return hashlib.sha256(canonical(content).encode()).digest()


# Amounts by month ---------------------------------------------------------------------------------------------------


class FromMonth(Protocol):
    """An amount from a month on."""

    @property
    def from_month(self) -> Month:
        """First month."""
        ...

    @property
    def amount(self) -> Money:
        """Amount of each month."""
        ...


A = TypeVar("A", bound=FromMonth)


def timeline(amounts: Sequence[A]) -> list[A]:
    """The amounts in force, by month: each one replaces what those before it said of its months."""
    line: list[A] = []
    for one in amounts:
        while line and line[-1].from_month >= one.from_month:
            line.pop()
        line.append(one)
    return line


class Owed(NamedTuple):
    """What changed for months in payrolls: those that differ, and the sum (below zero: paid too much)."""

    first: Month
    last: Month
    amount: Money


def owed(before: Sequence[FromMonth], after: Sequence[FromMonth], first: Month, last: Month) -> Owed | None:
    """The difference of two timelines over the months from first to last; nothing when no month differs.

    Months between two changes are counted, not walked through: a timeline has a handful of changes.
    """
    starts = sorted({first, *(one.from_month for one in (*before, *after) if first <= one.from_month <= last)})
    found: list[tuple[Month, Month, int]] = []
    for place, start in enumerate(starts):
        end = starts[place + 1].previous if place + 1 < len(starts) else last
        change = _in_force(after, start) - _in_force(before, start)
        if end >= start and change:
            found.append((start, end, change * (start.months_until(end) + 1)))
    if not found:
        return None
    return Owed(found[0][0], found[-1][1], Money(sum(amount for *_, amount in found)))


def _in_force(line: Sequence[FromMonth], month: Month) -> int:
    return next((one.amount.fen for one in reversed(line) if one.from_month <= month), 0)


# What the contract calls wrong ---------------------------------------------------------------------------------------


def kinds_of(kinds: Sequence[Kind]) -> list[Kind]:
    """The kinds of an annual adjustment, each once; none named is the employee pension.

    Raises:
        InvalidInput: ADJUSTMENT_KIND_INVALID.
    """
    chosen = sorted(set(kinds)) or [Kind.EMPLOYEE_PENSION]
    if wrong := [kind.value for kind in chosen if kind not in ADJUSTABLE]:
        raise InvalidInput(
            "ADJUSTMENT_KIND_INVALID",
            f"{', '.join(wrong)} is not adjusted each year",
            field="kinds",
        )
    return chosen


def require_digest(given: bytes, known: bytes | None) -> None:
    """Refuse an approval of something else than what the dry run found.

    Raises:
        Refused: ADJUSTMENT_CHANGED with the digest that counts.
    """
    if given != known:
        raise Refused(
            "ADJUSTMENT_CHANGED",
            "parameters or dry run are not those that were looked at",
            digest=known.hex() if known else "",
        )


def notice(amounts: Amounts, year: int, document: str) -> DatedValue[Amounts]:
    """Amounts of a published notice as a row of law; certain only when the second person has compared them."""
    first = effective_month(year)
    return DatedValue(
        amounts,
        first.first_day,
        first.plus(11).last_day,
        Confidence.LIKELY,
        (document,),
        f"annual_adjustment.{year}",
        "notice",
    )


def _fen(amount: Money | None) -> int | None:
    return None if amount is None else amount.fen


def _money(fen: int | None) -> Money | None:
    return None if fen is None else Money(fen)
