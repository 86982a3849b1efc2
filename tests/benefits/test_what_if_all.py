"""Every parameter that benefits read: a what-if answers for those that move an amount, and names the others."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chassis.policy_snapshot import restored
from hrss.benefits.v1 import determinations_service_pb2 as pb
from kernel import ids
from kernel.calendar import Month
from kernel.errors import DomainError, InvalidInput, NotFound
from services.benefits import calculation
from services.benefits.adjusting_commands import CreateWhatIf
from services.benefits.lifecycle import Kind
from services.benefits.operations import adjusting_whatif
from services.benefits.store import decisions
from tests.benefits.kinds_requests import day, yuan
from tests.benefits.test_adjusting import rows
from tests.benefits.test_adjusting_kinds import city
from tests.benefits.test_adjusting_recompute import shown, work
from tests.benefits.test_kinds import RESIDENT, born, counter, database, local, policy, worker
from tests.benefits.test_proving import pensions

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.calculation import Calculation
    from services.benefits.policy import BenefitsPolicy
    from tests.benefits.builders import Benefits, Enrollment
    from tests.benefits.kinds_requests import Counter

__all__ = ["counter", "database", "local", "policy"]  # fixtures

FIRST = date(1990, 1, 1)
# Nobody in the little city is of an age, or has years, that these would move.
QUIET = {
    "age_tilt.amount",  # nobody's first month lies after the 65th birthday
    "age_tilt.from_age",
    "amount.floor_multiplier",  # the subsistence standard is far below
    "amount.subsistence_standard",
    "disability.first_months",  # a month more or less moves nobody over a limit
    "disability.near_months",
    "index_denominator",  # nobody has deemed months
    "transition_blend",
    "transitional_coefficient",
}
_NUMBER = re.compile(r"\d+(\.\d+)?")
_CODE = re.compile(r"32\d{4}")
_OTHER_WORDS = {
    "by_month": "whole_years",
    "all_months": "actual_months",
    "2025-01": "2024-01",
    "2014-10": "2020-10",
    "2024-09": "2016-09",
    "city": "county",
    "county": "city",
}


def parameters(policy: BenefitsPolicy) -> dict[tuple[str, str], str]:
    """Another value of every parameter that benefits read, as an officer writes it; made from the files of law."""
    files, _ = restored(policy.store.content)
    found = {}
    for file, content in files.items():
        for one in content["parameters"]:
            if (file, one["key"]) in policy.reads:
                years = one.get("years")
                values = [row["value"] for row in one.get("values") or (years if isinstance(years, list) else [])]
                values += list(years.values()) if isinstance(years, dict) else []
                known = [value for value in values if value is not None]
                found[file, one["key"]] = written(other(known[-1]) if known else supplied(one["type"]))
    return found


def other(value: Any) -> Any:
    """A value with every amount and rate in it a tenth higher, or where it has none every number one higher."""
    changed = raised(value)
    return changed if changed != value else moved(value)


def raised(value: Any) -> Any:
    match value:
        case str() if _CODE.fullmatch(value):
            return value
        case str() if _NUMBER.fullmatch(value):
            exact = Decimal(value) * Decimal("1.1") or Decimal(1)
            return str(exact if exact < 5 else exact.quantize(Decimal("0.01")))
        case str():
            return _OTHER_WORDS.get(value, value)
        case list():
            return [raised(one) for one in value]
        case dict():
            return {name: raised(one) for name, one in value.items()}
        case _:
            return value


def moved(value: Any) -> Any:
    match value:
        case int():
            return value + 1
        case list():
            return [moved(one) for one in value]
        case dict() if set(value) == {"class_1", "class_2", "class_3"}:
            return dict(zip(value, [value["class_2"], value["class_3"], value["class_1"]], strict=True))
        case dict():
            return {name: moved(one) for name, one in value.items()}
        case _:
            return value


def written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def supplied(declared: Any) -> Any:
    """Some value of a declared type, for a parameter whose values nobody knows."""
    match declared:
        case list():
            return [supplied(declared[0])]
        case dict():
            return {name: supplied(one) for name, one in declared.items()}
        case "integer" | "integer?":
            return 3
        case _:
            return "0.50"


async def calculated(benefits: Benefits) -> list[tuple[Month, Calculation]]:
    """Every calculation of a benefit that runs, with the month that it is for."""

    async def read(tx: Any) -> list[tuple[Month, Calculation]]:
        ids_ = [row["benefit_id"] for row in await tx.fetch("SELECT benefit_id FROM benefit")]
        amounts = [one for line in (await decisions.amounts(tx, ids_)).values() for one in line]
        known = await decisions.calculations(tx, {one.digest for one in amounts})
        return [(one.from_month, known[one.digest]) for one in amounts]

    found: list[tuple[Month, Calculation]] = await benefits.run(read)
    return found


def effect(made: list[tuple[Month, Calculation]], law: BenefitsPolicy) -> set[str]:
    """What computing by another law changes: kinds with another amount, and reasons of refusals."""
    found = set()
    for from_month, one in made:
        try:
            statement = calculation.recompute(one.kind, one.inputs, from_month, law).statement
        except (DomainError, ValueError) as error:
            found.add(f"refused {getattr(error, 'reason', type(error).__name__)} {one.kind.value}")
        else:
            if statement.total != one.statement.total:
                found.add(one.kind.value)
    return found


async def more(enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter) -> None:
    """Those whose amounts follow what nobody else's does."""
    resident = await enrollment.person("1960-02-10")
    await enrollment.hired(resident, "2014-10", schemes=RESIDENT)
    values: dict[str, Any] = {"balance": yuan("20850.00"), "full_years": 15}
    await counter.determined("PrepareResidentPension", person_id=resident, **values)
    for base in ("3000", "5000"):
        jobless = await enrollment.unemployed(last="2026-03", base=base)
        await benefits.approve(await benefits.prepare_unemployment(jobless, "2026-04-03"))
    for grade, left, disease in ((7, 54, False), (5, 120, True)):
        await counter.determined(
            "PrepareInjuryMedicalGrant",
            person_id=await worker(enrollment, born(left, "2025-09", policy)),
            event_date=day("2024-03-10"),
            end_date=day("2025-09-30"),
            grade=grade,
            cause=pb.TERMINATION_CAUSE_OWN_REQUEST,
            occupational_disease=disease,
        )
    lost = await worker(enrollment, base="6000.00")
    case: dict[str, Any] = {"event_date": day("2025-03-10"), "missing": True, "hardship": True}
    await counter.determined("PrepareWorkDeath", person_id=lost, **case)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_every_parameter_answers_or_is_refused_by_its_name(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    await city(enrollment, benefits, policy, counter)
    await pensions(enrollment, benefits, counter)
    await more(enrollment, benefits, policy, counter)
    made = await calculated(benefits)
    values, askable = parameters(policy), adjusting_whatif.can_be_asked(policy)
    assert values.keys() == policy.reads
    quiet = set()
    for (file, key), value in sorted(values.items()):
        command = CreateWhatIf(file, key, FIRST, None, value)
        if (file, key) not in askable:
            with pytest.raises(InvalidInput) as refused:
                await benefits.run(partial(adjusting_whatif.what_if, command=command, policy=policy))
            assert refused.value.reason == "POLICY_PARAMETER_NOT_ASKED"
            assert refused.value.metadata["parameter"] == f"{file}: {key}"
            assert all(known in refused.value.metadata["askable"] for _, known in askable)
            continue
        terms = {"file": file, "key": key, "from": FIRST.isoformat(), "to": None, "value": value}
        if not effect(made, adjusting_whatif.changed(policy, terms)):
            quiet.add(key)
    assert quiet == QUIET, " ".join(sorted(quiet ^ QUIET))
    with pytest.raises(InvalidInput) as training:  # the law has it, and benefits do not read it
        await benefits.run(partial(adjusting_whatif.what_if, command=CreateWhatIf("ecard.yaml", "x", FIRST, None, "1"),
                                   policy=policy))  # fmt: skip
    assert training.value.reason == "POLICY_PARAMETER_UNKNOWN"

    # Asked for as an officer does: one person, a sample, everybody; the sums are those of computing by hand.
    for place in (("survivor.yaml", "annual_income.jiangsu"), ("pension-employee.yaml", "basic_rate_per_year"),
                  ("payout-months.yaml", "interpolation")):  # fmt: skip
        law = adjusting_whatif.changed(
            policy, {"file": place[0], "key": place[1], "from": FIRST.isoformat(), "to": None, "value": values[place]}
        )
        drawn = await rows(database, "SELECT benefit_id, person_id FROM benefit WHERE state <> 'ENDED'")
        for person, sample in ((None, 0), (None, 5), (drawn[0]["person_id"], 0), (drawn[-1]["person_id"], 0)):
            asked = CreateWhatIf(*place, FIRST, None, values[place], sample, person)
            run = await benefits.run(partial(adjusting_whatif.what_if, command=asked, policy=policy))
            await work(benefits, policy, size=20)
            impact = (await shown(benefits, run)).impact
            assert impact is not None
            expected = [one for one in drawn if person in {None, one["person_id"]}]
            assert impact.total.persons + sum(impact.refused.values()) == (sample or len(expected))
            if not sample:
                assert impact.total.monthly_fen == await by_hand(benefits, expected, law)
    nobody = CreateWhatIf(*place, FIRST, None, values[place], 0, ids.new_id())
    with pytest.raises(NotFound):
        await benefits.run(partial(adjusting_whatif.what_if, command=nobody, policy=policy))


async def by_hand(benefits: Benefits, drawn: list[dict[str, Any]], law: BenefitsPolicy) -> int:
    """What the amounts in force of some benefits would change by in all."""

    async def read(tx: Any) -> int:
        change = 0
        for one in drawn:
            amounts = (await decisions.amounts(tx, [one["benefit_id"]]))[one["benefit_id"]]
            now = [amount for amount in amounts if amount.from_month <= Month.of(tx.today)]
            drawn_now = now[-1] if now else amounts[0]
            known = await decisions.calculation(tx, drawn_now.digest)
            month_ = Month.of(tx.today) if known.kind is Kind.UNEMPLOYMENT else drawn_now.from_month
            laws = (law, benefits.policy)
            new, old = (calculation.recompute(known.kind, known.inputs, month_, by).statement for by in laws)
            change += new.total.fen - old.total.fen
        return change

    found: int = await benefits.run(read)
    return found
