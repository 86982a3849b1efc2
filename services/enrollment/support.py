"""Help with premiums: what the government pays on behalf (社保费代缴), and the money of taken land (即征即保).

Pure values and decisions. Sources: 国发〔2014〕8号 (on behalf of 低保, 特困 and the severely disabled) and
社会保险法 art. 96 (farmers whose land is taken). How much a batch brings for each person only the bureau knows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.dated import DatedValue
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from kernel.money import Money
from kernel.statement import Line, Statement

FARMERS_MAX = 1000  # of one list; a larger notice has parts
PARTS_MAX = 99
_NOTICE_NO = re.compile(r"[\w〔〕()（）\[\]-]{4,60}")
FIRST_AID_YEAR = 2014  # 国发〔2014〕8号

# Accounts of the ledger.
ON_BEHALF = "finance:premium_on_behalf"  # what the budget paid for years that are not credited yet
BUDGET = "finance:paid"  # what the budget handed over for them, negative
LAND_RECEIVED = "land:received"  # what came with taken land, negative
LAND_ACCOUNTS = "land:accounts"  # the money of all farmers together; each has entries beside


class AidGroup(StrEnum):
    """For whom the government pays (困难群体)."""

    SUBSISTENCE = "SUBSISTENCE"  # 低保对象
    EXTREME_POVERTY = "EXTREME_POVERTY"  # 特困人员
    SEVERE_DISABILITY = "SEVERE_DISABILITY"  # 重度残疾人


@dataclass(frozen=True, slots=True)
class Aid:
    """That the government pays for a person, from a year to a year; open while there is no last one."""

    aid_id: UUID
    person_id: UUID
    group: AidGroup
    from_year: int
    until_year: int | None
    document_ref: str


@dataclass(frozen=True, slots=True)
class AidRun:
    """A year's premiums on behalf: what each is, how many there are, and whether the money came."""

    run_id: UUID
    year: int
    job_id: UUID
    tier: Money
    subsidy: Money
    statement: Statement
    policy_version: str
    assess_date: date
    persons: int = 0
    credited: int = 0
    receipt_no: str = ""
    paid_date: date | None = None
    credit_job_id: UUID | None = None

    @property
    def total(self) -> Money:
        """What the budget owes: the tier for each person."""
        return self.tier * self.persons


@dataclass(frozen=True, slots=True)
class LandTerms:
    """The law of a batch: what comes for each person, and from which age."""

    fund_per_person: Money
    min_age: int


@dataclass(frozen=True, slots=True)
class LandBatch:
    """The list of a notice of taken land, or a part of it (征地批次)."""

    batch_id: UUID
    notice_no: str
    part_no: int
    division: str
    notice_date: date
    headcount: int
    listed: int = 0
    insured: int = 0
    owed: Money = Money.ZERO
    receipt_no: str = ""
    paid_date: date | None = None


@dataclass(frozen=True, slots=True)
class LandEntry:
    """What came to or went from the money of a farmer."""

    source: str
    target: str
    amount: Money
    booked_date: date


@dataclass(frozen=True, slots=True)
class LandFund:
    """The money of a farmer whose land was taken (被征地农民社会保障资金)."""

    person_id: UUID
    balance: Money
    entries: Sequence[LandEntry]


def check_aid_years(from_year: int, until_year: int | None, today: date) -> None:
    """An entitlement begins with this year or one before, and ends not before it begins.

    Raises:
        InvalidInput: YEAR_INVALID.
    """
    if not FIRST_AID_YEAR <= from_year <= today.year + 1 or (until_year is not None and until_year < from_year):
        raise InvalidInput("YEAR_INVALID", "the years of an entitlement lie between 2014 and the next", field="year")


def check_notice_no(text: str, field: str = "notice_no") -> str:
    """The number of a notice or decision, as offices write it.

    Raises:
        InvalidInput: DOCUMENT_INVALID.
    """
    if not _NOTICE_NO.fullmatch(text):
        raise InvalidInput("DOCUMENT_INVALID", "a reference has 4 to 60 letters and digits", field=field)
    return text


def aid_year(
    year: int, tier: DatedValue[Money], tiers: DatedValue[Mapping[Money, Money]]
) -> tuple[Money, Money, Statement]:
    """What the government pays on behalf for a year, its subsidy, and how it comes about.

    The tier is the one that the law names for it; the subsidy is that of the same tier among the city's (assumed).

    Raises:
        Refused: TIER_UNKNOWN where the city has no such tier.
    """
    amount = tier.value
    subsidy = tiers.value.get(amount)
    if subsidy is None:
        known = "、".join(str(one) for one in sorted(tiers.value))
        raise Refused("TIER_UNKNOWN", "there is no such tier", field="tier", source=tiers.source, tiers=known)
    inputs = (("year", str(year)), ("tier", str(amount)))
    statement = Statement(
        (
            Line("on_behalf", amount, "政府代缴", "Paid on behalf by the government", str(amount), inputs, tier.source,
                 (tier.use(),), tier.provisional),
            Line("subsidy", subsidy, "政府补贴", "Government subsidy", str(subsidy), inputs, tiers.source,
                 (tiers.use(f"{amount}: {subsidy}"),), tiers.provisional),
        )
    )  # fmt: skip
    return amount, subsidy, statement


def land_share(birth: date, notice: date, terms: DatedValue[LandTerms]) -> Statement:
    """What a batch brings for a farmer.

    Raises:
        Refused: LAND_FARMER_TOO_YOUNG with the age.
    """
    rules = terms.value
    if Month.of(birth).plus(12 * rules.min_age) > Month.of(notice):
        raise Refused(
            "LAND_FARMER_TOO_YOUNG",
            "the person was not of age on the day of the notice",
            field="person_id",
            source=terms.source,
            age=str(rules.min_age),
        )
    line = Line(
        code="land",
        amount=rules.fund_per_person,
        title_zh="被征地农民社会保障资金",
        title_en="Money of taken land",
        formula=str(rules.fund_per_person),
        inputs=(("notice_date", str(notice)),),
        sources=terms.source,
        parameters=(terms.use(f"{rules.fund_per_person}"),),
        provisional=terms.provisional,
    )
    return Statement((line,))


def check_left(balance: Money, needed: Money) -> None:
    """A farmer's money pays a thing in whole.

    Raises:
        Refused: LAND_FUND_TOO_SMALL with what is there.
    """
    if needed > balance:
        raise Refused("LAND_FUND_TOO_SMALL", "less than that is there", left=str(balance), needed=str(needed))


def aid_exists() -> AlreadyExists:
    """The person has an entitlement in these years."""
    return AlreadyExists("PREMIUM_AID_EXISTS", "the government pays for the person in these years already")


def aid_not_found() -> NotFound:
    """No such entitlement."""
    return NotFound("PREMIUM_AID_NOT_FOUND", "no such entitlement")


def aid_run_not_found(year: int) -> NotFound:
    """No run was started for the year."""
    return NotFound("PREMIUM_AID_RUN_NOT_FOUND", "no run was started for the year", year=str(year))


def batch_not_found() -> NotFound:
    """No such batch."""
    return NotFound("LAND_BATCH_NOT_FOUND", "no such list of taken land")
