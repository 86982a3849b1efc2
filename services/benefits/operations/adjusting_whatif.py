"""Starting a recomputation or a what-if, and the law with another value in it, which exists in memory alone."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kernel.calendar import parse_date
from kernel.errors import AlreadyExists, DomainError, InvalidInput, Refused
from services.benefits.adjusting import Purpose, RunState
from services.benefits.lifecycle import Kind
from services.benefits.operations.adjusting import new_run, start_dry_run
from services.benefits.operations.determinations import known_person
from services.benefits.operations.queries import benefit as known_benefit
from services.benefits.policy import BenefitsPolicy
from services.benefits.store import adjusting as store

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.benefits.adjusting_commands import CreateRecomputation, CreateWhatIf
    from services.benefits.store.adjusting import Run

SAMPLE_MOST = 10_000
# What benefits read and no amount that is drawn follows: file, a key or the beginning of keys.
NOT_AN_AMOUNT: tuple[tuple[str, str], ...] = (
    # who may draw, from when and for how long
    ("retirement.yaml", "delay_start"),
    ("retirement.yaml", "tracks"),
    ("retirement.yaml", "flexible."),
    ("retirement.yaml", "minimum_contribution_months"),
    ("retirement.yaml", "special_work."),
    ("pension-government.yaml", "early_retirement."),
    ("unemployment.yaml", "minimum_months"),
    ("unemployment.yaml", "duration."),
    ("unemployment.yaml", "extension."),
    ("unemployment.yaml", "premium.months_before_statutory"),
    # what is paid beside a benefit, or by the employer
    ("unemployment.yaml", "medical."),
    ("unemployment.yaml", "premium.contribution"),
    ("work-injury.yaml", "termination.employment"),
    ("work-injury.yaml", "termination.near_retirement.employment"),
    # the account, which enrollment settles
    ("personal-account.yaml", "interest_rate"),
    ("contribution.yaml", "pension.employee.account_credit_rate"),
    # the adjustment of a year, whose dry run answers
    ("pension-employee.yaml", "annual_adjustment."),
    # how benefits are kept
    ("certification.yaml", ""),
)
RECOMPUTED = [kind for kind in Kind if kind is not Kind.UNEMPLOYMENT]  # whose months are computed when they are paid


class Overlay:
    """The law with another value; the last one is kept, for a job asks for the same in every chunk."""

    def __init__(self, policy: BenefitsPolicy) -> None:
        self.policy = policy
        self._last: tuple[str, BenefitsPolicy] | None = None

    def of(self, terms: dict[str, Any]) -> BenefitsPolicy:
        """The law that the terms of a what-if describe."""
        key = json.dumps(terms, sort_keys=True)
        if self._last is None or self._last[0] != key:
            self._last = (key, changed(self.policy, terms))
        return self._last[1]


def changed(policy: BenefitsPolicy, terms: dict[str, Any]) -> BenefitsPolicy:
    """Today's law with another value of one parameter.

    Raises:
        InvalidInput: POLICY_PARAMETER_UNKNOWN, POLICY_DAYS_INVALID, POLICY_VALUE_INVALID.
    """
    days = (parse_date(terms["from"]), parse_date(terms["to"]) if terms["to"] else None)
    try:
        return BenefitsPolicy(policy.store.changed(terms["file"], terms["key"], days, _plain(terms["value"])))
    except DomainError:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInput("POLICY_VALUE_INVALID", f"the law cannot be read with it: {error}", field="value") from None


def can_be_asked(policy: BenefitsPolicy) -> list[tuple[str, str]]:
    """File and key of every parameter that an amount follows, in order."""
    return sorted(
        (file, key)
        for file, key in policy.reads
        if not any(file == other and key.startswith(start) for other, start in NOT_AN_AMOUNT)
    )


def require_asked(policy: BenefitsPolicy, file: str, key: str) -> None:
    """Refuse a parameter that no amount follows, with those that can be asked for.

    Raises:
        InvalidInput: POLICY_PARAMETER_NOT_ASKED; POLICY_PARAMETER_UNKNOWN where the law has none of this name.
    """
    if (file, key) not in policy.store.parameters():
        raise InvalidInput("POLICY_PARAMETER_UNKNOWN", "no file of law has this parameter", field="key", key=key)
    asked = can_be_asked(policy)
    if (file, key) in asked:
        return
    named = (f"{file}: {', '.join(key for _, key in group)}" for file, group in groupby(asked, lambda one: one[0]))
    raise InvalidInput(
        "POLICY_PARAMETER_NOT_ASKED",
        "no amount of a benefit that is drawn follows this parameter",
        field="key",
        parameter=f"{file}: {key}",
        askable="; ".join(named),
    )


async def recompute(tx: Transaction, command: CreateRecomputation, policy: BenefitsPolicy) -> Run:
    """Look at what computing provisional benefits again would change (重算试算): all of them, or one.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        AlreadyExists: RECOMPUTATION_EXISTS with the id of the open one.
        Refused: BENEFIT_NOT_PROVISIONAL.
    """
    one = command.benefit_id
    if one is not None and not (await known_benefit(tx, one)).provisional:
        raise Refused("BENEFIT_NOT_PROVISIONAL", "nothing in this benefit waits for a final value")
    terms = {"benefit_id": str(one) if one else None, "version": policy.version}
    run = new_run(tx, Purpose.RECOMPUTATION, RECOMPUTED, policy, terms=terms)
    if not await store.add(tx, run):
        other = await store.open_recomputation(tx)
        raise AlreadyExists(
            "RECOMPUTATION_EXISTS",
            "a recomputation is open; approve, run or discard it first",
            adjustment=other.text_id if other else "",
        )
    return await start_dry_run(tx, run)


async def what_if(tx: Transaction, command: CreateWhatIf, policy: BenefitsPolicy) -> Run:
    """Look at what another value of a parameter would mean (参数测算) for one person, a sample or everybody.

    Raises:
        InvalidInput: POLICY_PARAMETER_UNKNOWN, POLICY_PARAMETER_NOT_ASKED, POLICY_DAYS_INVALID,
            POLICY_VALUE_INVALID, WHAT_IF_SAMPLE_INVALID.
        NotFound: PERSON_NOT_FOUND.
    """
    require_asked(policy, command.file, command.key)
    if not 0 <= command.sample <= SAMPLE_MOST:
        raise InvalidInput("WHAT_IF_SAMPLE_INVALID", f"a sample has at most {SAMPLE_MOST} benefits", field="sample")
    terms = {
        "file": command.file,
        "key": command.key,
        "from": command.from_.isoformat(),
        "to": command.to.isoformat() if command.to else None,
        "value": command.value,
        "sample": command.sample,
    }
    if command.person_id is not None:
        if command.sample:
            raise InvalidInput("WHAT_IF_SAMPLE_INVALID", "one person is no sample", field="sample")
        terms["person_id"] = str((await known_person(tx, command.person_id)).person_id)
    changed(policy, terms)  # what is wrong is said now, not by a job
    run = replace(new_run(tx, Purpose.WHAT_IF, list(Kind), policy, terms=terms), state=RunState.DRY_RUN)
    await store.add(tx, run)
    return await start_dry_run(tx, run)


def _plain(value: str) -> Any:
    """A value as the file writes it: text in quotes, a whole number bare, lists and records as JSON."""
    text = value.strip()
    if text.startswith(("[", "{")):
        try:
            return json.loads(text, parse_float=str)
        except ValueError:
            raise InvalidInput("POLICY_VALUE_INVALID", "lists and records are written as JSON", field="value") from None
    return text
