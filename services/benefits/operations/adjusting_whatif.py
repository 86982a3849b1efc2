"""Starting a recomputation or a what-if, and the law with another value in it, which exists in memory alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kernel.calendar import parse_date
from kernel.errors import AlreadyExists, DomainError, InvalidInput, Refused
from services.benefits.adjusting import Purpose, RunState
from services.benefits.lifecycle import Kind
from services.benefits.operations.adjusting import new_run, start_dry_run
from services.benefits.operations.queries import benefit as known_benefit
from services.benefits.policy import BenefitsPolicy
from services.benefits.store import adjusting as store

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.benefits.adjusting_commands import CreateRecomputation, CreateWhatIf
    from services.benefits.store.adjusting import Run

SAMPLE_MOST = 10_000
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
    """Look at what another value of a parameter would mean (参数测算) for a sample or for everybody.

    Raises:
        InvalidInput: POLICY_PARAMETER_UNKNOWN, POLICY_DAYS_INVALID, POLICY_VALUE_INVALID, WHAT_IF_SAMPLE_INVALID.
    """
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
