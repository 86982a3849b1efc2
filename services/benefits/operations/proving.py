"""Amounts are proved again (重新验算): by the law as it was known when they were decided, and by the law of today.

The first answer is about the record: what is stored gives the same statement by the law that was kept with it, or
something was tampered with, or a release computes differently. The second is about the world: what a recomputation
would change now, by how much, and whether that is because a value was published which was provisional then.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from chassis import release
from chassis.policy_changes import changes, published
from kernel.errors import DomainError
from kernel.money import Money
from services.benefits import calculation
from services.benefits.adjusting import Adjusted, digest_of
from services.benefits.calculation import canonical
from services.benefits.operations import law, queries
from services.benefits.operations.adjusting_recompute import final_inputs, renew
from services.benefits.policy import BenefitsPolicy
from services.benefits.store import adjusting_amounts, adjusting_provisional, decisions
from services.benefits.store.decisions import Amount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from kernel.statement import Statement
    from services.benefits.calculation import Calculation
    from services.benefits.operations.adjusting_recompute import Renewed
    from services.benefits.store.adjusting_amounts import StoredAmount
    from services.benefits.store.rows import BenefitRow, CalculationRow

MOST_CHANGES = 20  # parameters that an answer names
UNREADABLE = (ValueError, TypeError, LookupError)  # inputs that nobody wrote like this


class Verdict(StrEnum):
    """What a proof came to."""

    EQUAL = "EQUAL"
    DIFFERS = "DIFFERS"
    NOT_KNOWN = "NOT_KNOWN"  # it cannot be computed, and the refusal says why


class Cause(StrEnum):
    """Why the law of today gives another statement."""

    PUBLISHED = "PUBLISHED"  # a value that was provisional or not known is published now
    SETTLED = "SETTLED"  # the interest of the account became final
    LAW_CHANGED = "LAW_CHANGED"  # a value that was known is another one now
    NOT_SEPARATED = "NOT_SEPARATED"  # the record itself is not proved, so nothing is said about the rest


@dataclass(frozen=True, slots=True)
class Difference:
    """Where something stored and computed differ first."""

    from_month: Month
    path: str
    stored: str
    computed: str


@dataclass(frozen=True, slots=True)
class AsDecided:
    """What was stored, by the law as it was known then.

    Args:
        verdict: DIFFERS: a bug or tampering; NOT_KNOWN: some amounts could not be computed.
        checked: Amounts that were computed again.
        unchecked: Amounts that could not be.
        difference: The first one.
        refusal: Why the first of the unchecked could not be.
        version: Version of the law of the amount that is concerned, else of the first.
        release: Release that calculated it; empty where it was not recorded.
    """

    verdict: Verdict
    checked: int
    unchecked: int
    difference: Difference | None
    refusal: DomainError | None
    version: str
    release: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A parameter that a statement uses, as it was and as it is; an empty text is not known."""

    file: str
    key: str
    old: str
    new: str
    was_provisional: bool


@dataclass(frozen=True, slots=True)
class Today:
    """The same by the law of today, as a recomputation would have it.

    Args:
        verdict: NOT_KNOWN: it cannot be computed by this law.
        difference: The first one.
        monthly: What the amount in force would change by.
        owed: What months that stand in payrolls differ by; below zero they were paid too much.
        cause: Why it differs.
        changed: The parameters that explain it.
        refusal: Why it cannot be computed; nothing where the stored inputs cannot be read.
    """

    verdict: Verdict
    difference: Difference | None = None
    monthly: Money = Money.ZERO
    owed: Money = Money.ZERO
    cause: Cause | None = None
    changed: tuple[Changed, ...] = ()
    refusal: DomainError | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a recomputation found."""

    as_decided: AsDecided
    today: Today
    stored_version: str
    version: str
    release: str

    @property
    def checked(self) -> int:
        """Amounts that were looked at."""
        return self.as_decided.checked + self.as_decided.unchecked

    @property
    def difference(self) -> Difference | None:
        """The first difference by the law of today."""
        return self.today.difference


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored about a benefit's amounts: each one, its calculation as it is stored, and as it is read."""

    benefit: BenefitRow
    amounts: Sequence[StoredAmount]
    rows: Mapping[bytes, CalculationRow]
    known: Mapping[bytes, Calculation]

    @property
    def first(self) -> CalculationRow:
        """The calculation of the first amount."""
        return self.rows[self.amounts[0].digest]


async def prove(tx: Transaction, benefit_id: UUID, policy: BenefitsPolicy) -> Proof:
    """Compute every amount that a benefit ever had again: by the law of then, and what is in force by that of today.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
    """
    benefit = await queries.benefit(tx, benefit_id)
    amounts = await adjusting_amounts.amounts(tx, benefit_id)
    rows = await decisions.calculation_rows(tx, {one.digest for one in amounts})
    record = Record(benefit, amounts, rows, await decisions.calculations(tx, rows))
    decided = await _as_decided(tx, record, policy)
    today = await _today(tx, record, decided, policy)
    return Proof(decided, today, record.first.policy_version, policy.version, release.version())


# As it was decided --------------------------------------------------------------------------------------------------


async def _as_decided(tx: Transaction, record: Record, policy: BenefitsPolicy) -> AsDecided:
    checked, unchecked, first = 0, 0, record.first
    refusal: DomainError | None = None
    for one in record.amounts:
        row, stored = record.rows[one.digest], record.known[one.digest]
        try:
            then = policy if isinstance(stored, Adjusted) else await law.as_known(tx, row.policy_version, policy)
        except DomainError as error:
            if refusal is None:
                refusal, first = error, row
            unchecked += 1
            continue
        checked += 1
        try:
            found = _unlike(record, one, then)
        except (DomainError, *UNREADABLE) as error:  # what was computed once by this law is refused now
            said = error.reason if isinstance(error, DomainError) else type(error).__name__
            found = ("statement", str(row.total), said)
        if found is not None:
            where = Difference(one.from_month, *found)
            return AsDecided(Verdict.DIFFERS, checked, unchecked, where, None, row.policy_version, row.release or "")
    verdict = Verdict.EQUAL if refusal is None else Verdict.NOT_KNOWN
    return AsDecided(verdict, checked, unchecked, None, refusal, first.policy_version, first.release or "")


def _unlike(record: Record, amount: StoredAmount, then: BenefitsPolicy) -> tuple[str, str, str] | None:
    """Where an amount, its calculation and what is computed again differ first."""
    benefit, row, stored = record.benefit, record.rows[amount.digest], record.known[amount.digest]
    if isinstance(stored, Adjusted):
        said, facts = stored.statement, stored.facts
        digest = digest_of(stored.terms.digest, benefit.benefit_id, facts.before_fen, facts.months, facts.age)
    else:
        said = calculation.recompute(benefit.kind, stored.inputs, amount.from_month, then).statement
        found = first_difference(row.statement, said.to_plain())
        if found is not None:
            return found
        content = {
            "kind": row.kind.value,
            "policy_version": row.policy_version,
            "inputs": row.inputs,
            "statement": row.statement,
        }
        digest = hashlib.sha256(canonical(content).encode()).digest()
    pairs = (
        ("total_fen", str(row.total.fen), str(said.total.fen)),
        ("amount_fen", str(amount.amount.fen), str(said.total.fen)),
        ("digest", row.digest.hex(), digest.hex()),
    )
    return next((one for one in pairs if one[1] != one[2]), None)


# By the law of today ------------------------------------------------------------------------------------------------


async def _today(tx: Transaction, record: Record, decided: AsDecided, policy: BenefitsPolicy) -> Today:
    benefit, known = record.benefit, record.known
    (mine,) = await adjusting_provisional.running(tx, [benefit.benefit_id])
    amounts = [Amount(one.from_month, one.amount, one.digest) for one in record.amounts]
    try:
        made = renew(mine, amounts, known, policy, month=benefit.first_month, cache={})
    except DomainError as refusal:
        return Today(Verdict.NOT_KNOWN, refusal=refusal)
    except UNREADABLE:
        return Today(Verdict.NOT_KNOWN)
    for before, after in zip(made.before, made.after, strict=True):
        old, new = known[before.digest], made.made[after.digest]
        found = first_difference(_lasting(old.statement), _lasting(new.statement))
        if found is None:
            continue
        cause, changed = Cause.NOT_SEPARATED, tuple[Changed, ...]()
        if decided.verdict is Verdict.EQUAL and not isinstance(old, Adjusted):
            then = await law.as_known(tx, old.policy_version, policy)
            inputs = final_inputs(old.inputs, mine)
            cause = _cause(old, new, inputs, before.from_month, (then, policy))
            changed = _changed(old.statement, new.statement, then, policy)
        return _differs(made, Difference(before.from_month, *found), cause, changed)
    return Today(Verdict.EQUAL)


def _differs(made: Renewed, where: Difference, cause: Cause, changed: tuple[Changed, ...]) -> Today:
    monthly = Money(made.after[-1].amount.fen - made.before[-1].amount.fen)
    return Today(Verdict.DIFFERS, where, monthly, Money(made.change_fen), cause, changed)


def _cause(
    old: Calculation,
    new: Calculation,
    inputs: dict[str, Any],
    month: Month,
    laws: tuple[BenefitsPolicy, BenefitsPolicy],
) -> Cause:
    """Why two statements differ, found by computing with one thing changed at a time, never by guessing."""
    wanted, (then, today) = _lasting(new.statement), laws
    if inputs != old.inputs and _by(old, inputs, month, then) == wanted:
        return Cause.SETTLED
    since = BenefitsPolicy(published(then.store, today.store))
    return Cause.PUBLISHED if _by(old, inputs, month, since) == wanted else Cause.LAW_CHANGED


def _by(old: Calculation, inputs: dict[str, Any], month: Month, by: BenefitsPolicy) -> dict[str, Any] | None:
    try:
        return _lasting(calculation.recompute(old.kind, inputs, month, by).statement)
    except DomainError:
        return None


def _changed(old: Statement, new: Statement, then: BenefitsPolicy, policy: BenefitsPolicy) -> tuple[Changed, ...]:
    """The rows of law that one statement used and the other did not; what no line shows is taken from the two laws."""
    uses = [{(use.file, use.key, use.value, use.provisional) for line in one.lines for use in line.parameters}
            for one in (old, new)]  # fmt: skip
    gone, come = (sorted(mine - other) for mine, other in (uses, reversed(uses)))
    places = sorted({(file, key) for file, key, *_ in (*gone, *come)})
    found = []
    for place in places:
        before = [one for one in gone if one[:2] == place]
        after = [one for one in come if one[:2] == place]
        for at in range(max(len(before), len(after))):
            left, right = (side[at] if at < len(side) else (*place, "", False) for side in (before, after))
            found.append(Changed(*place, left[2], right[2], left[3]))
    if not found:
        found = [
            Changed(one.file, one.key, _text(one.old), _text(one.new), one.is_published)
            for one in changes(then.store, policy.store)
        ]
    return tuple(found[:MOST_CHANGES])


def _text(row: Any) -> str:
    return "" if row is None or row.value is None else str(row.value)


def _lasting(statement: Statement) -> dict[str, Any]:
    """A statement without the days of its rows: a row that ended since says the same of the days before."""
    plain = statement.to_plain()
    for line in plain["lines"]:
        for use in line["parameters"]:
            del use["effective"]
    return plain


def first_difference(stored: Any, computed: Any, path: str = "") -> tuple[str, str, str] | None:
    """Path and both values where two plain values differ first; None when they are the same."""
    if isinstance(stored, dict) and isinstance(computed, dict):
        pairs = [(f"{path}.{key}".lstrip("."), stored.get(key), computed.get(key)) for key in [*stored, *computed]]
    elif isinstance(stored, list) and isinstance(computed, list):
        longest = range(max(len(stored), len(computed)))
        pairs = [(f"{path}[{at}]", _at(stored, at), _at(computed, at)) for at in longest]
    else:
        return None if stored == computed else (path, str(stored), str(computed))
    found = (first_difference(left, right, where) for where, left, right in pairs)
    return next((one for one in found if one is not None), None)


def _at(values: list[Any], place: int) -> Any:
    return values[place] if place < len(values) else None
