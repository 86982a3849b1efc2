"""Benefits that are no pensions: both programs agree on every input an example may give, near the edges above all."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.errors import PolicyParameterMissing
from ops.policy_calculations import Calculator, Inputs
from ops.policy_examples import same
from tests.policy import second_claims
from tests.policy.second_program import text
from tests.policy.test_second_program import some, yuan

if TYPE_CHECKING:
    from collections.abc import Callable

CALCULATOR = Calculator(open_policy(release_directory()))

WAGE, AREA, LEAST = yuan(5 * 10**6), yuan(10**6), yuan(5 * 10**5)


def either(cases: Iterable[st.SearchStrategy[dict[str, Any]]]) -> st.SearchStrategy[dict[str, Any]]:
    """Inputs of one of several shapes."""
    return st.one_of(list(cases))


def around(*edges: int, most: int) -> st.SearchStrategy[int]:
    """Whole numbers, every other one beside an edge."""
    near = st.builds(lambda edge, step: max(0, edge + step), st.sampled_from(edges), st.integers(-1, 1))
    return st.one_of(near, st.integers(0, most))


DEPENDANT = some(
    {"relation": st.sampled_from(["child", "parent", "grandparent"])}, orphan=st.booleans(), lonely=st.booleans()
)
SPOUSE = some({"relation": st.just("spouse")}, lonely=st.booleans())
FAMILY = st.builds(list.__add__, st.lists(SPOUSE, max_size=1), st.lists(DEPENDANT, max_size=6)).flatmap(st.permutations)
EVENT = st.dates(date(2022, 1, 1), date(2025, 12, 31)).map(str)
OCCUPATION = st.sampled_from(["6-18-01-01", "4-14-01-02"])
APPLIED = st.one_of(
    st.dates(date(2019, 1, 1), date(2026, 12, 31)),
    st.sampled_from([date(2021, 12, 31), date(2022, 1, 1), date(2024, 12, 31), date(2025, 1, 1), date(2025, 2, 28)]),
)
PRIOR = some(
    {
        "occupation": OCCUPATION,
        "level": st.integers(1, 5),
        "apply_date": st.dates(date(2020, 1, 1), date(2026, 12, 31)).map(str),
    }
)


def claim(applied: date, days: int, rest: dict[str, Any]) -> dict[str, Any]:
    """A claim so many days after its certificate; 365 and 366 are the edges of the window."""
    return {**rest, "apply_date": str(applied), "issue_date": str(applied - timedelta(days=days))}


CLAIM = st.builds(
    claim,
    APPLIED,
    st.one_of(st.sampled_from([-1, 0, 364, 365, 366, 367]), st.integers(0, 360)),
    some(
        {"occupation": OCCUPATION, "level": st.integers(1, 5), "insured_months": around(12, 36, most=90)},
        prior=st.lists(PRIOR, max_size=4),
        urgent=st.booleans(),
        uplift=st.integers(0, 700).map(lambda thousandths: f"0.{thousandths:03d}"),
        cross_subsidy=st.booleans(),
        certificate_found=st.sampled_from([True, True, True, False]),
        person_status=st.sampled_from(["employed", "employed", "unemployment_claimant", "retired", "unemployed"]),
    ),
)
ID = st.sampled_from(["320612196501010013", "11010519491231002X", "440524188001010014"])


def _password(number: str, start: int, other: str, kind: int) -> dict[str, Any]:
    """A password of one of the patterns, or any text."""
    run = "0123456789"[max(0, start % 10 - 5) :][:6] or "012345"
    words = [number[start % 13 :][:6], run, run[::-1], str(start % 10) * 6, f"{start:06d}", other]
    return {"id_number": number, "password": words[kind]}


GIVEN = {"national_income_prev": yuan(10**7), "area_avg": AREA}
KINDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "unemployment": either(
        some(
            {"avg_base": WAGE, "months": around(12, 60, 120, 240, most=500), "min_wage": LEAST},
            carried_months=st.integers(0, 30),
            **extra,
        )
        for extra in ({"floor": LEAST}, {"dibao": yuan(10**5)})
    ),
    "injury": either(
        some(
            {"grade": st.integers(1, 10), "min_wage": LEAST, **wage, **area},
            nursing=st.sampled_from(["full", "most", "part"]),
            suitable_work=st.booleans(),
        )
        for wage in ({"avg12": WAGE}, {"bases": st.lists(WAGE, min_size=1, max_size=12)})
        for area in ({"area_avg": AREA}, {"event_date": EVENT})
    ),
    "termination": some(
        {"grade": st.integers(5, 10), "months_to_statutory_age": around(0, 12, 24, 36, 48, 60, most=90)},
        employer_fault=st.booleans(),
        occupational_disease=st.booleans(),
        initiated_by=st.sampled_from(["worker", "employer"]),
    ),
    "death": either(
        some({"own_wage": WAGE, **facts}, dependants=FAMILY, after_paid_leave=st.booleans())
        for facts in (GIVEN, {"event_date": EVENT}, {"event_date": EVENT, "area_avg": AREA})
    ),
    "survivor": either(
        some(
            {"contribution_months": around(60, 120, 180, 360, most=480), **base},
            drawn_months=around(12, 180, most=400),
            own_contributions=yuan(10**7),
        )
        for base in (
            {"annual_income_prev": st.integers(0, 120_000).map(str)},
            {"annual_income_prev": yuan(10**7), "base_override": yuan(10**6)},
            {"death_date": st.dates(date(2021, 9, 1), date(2026, 12, 31)).map(str)},
        )
    ),
    "funeral_choice": st.dictionaries(
        st.sampled_from(["pension", "unemployment", "work_injury"]), yuan(10**7), min_size=1
    ),
    "skill_subsidy": CLAIM,
    "ecard_password": st.builds(
        _password, ID, st.integers(0, 999_999), st.text(alphabet="0159a ０٣", max_size=7), st.integers(0, 5)
    ),
    "ecard_usable": some(
        {
            "physical": st.sampled_from(["normal", "inactive", "lost", "temp_lost", "locked", "cancelled"]),
            "level": st.integers(1, 2),
            "operation": st.sampled_from(["show", "query", "pay"]),
        }
    ),
    "indicator": some(
        {
            "op": st.sampled_from([">=", ">", "<"]),
            "target": st.integers(1, 10**6).map(text),
            "actual": yuan(10**7),
        }
    ),
}


def differ(kind: str, inputs: dict[str, Any]) -> object:
    """What is wrong with the answer of the product, or nothing."""
    apart: Callable[[dict[str, Any]], dict[str, Any]] = getattr(second_claims, kind)
    expected, asked = apart(inputs), Inputs(inputs)
    try:
        got = CALCULATOR.calculate(kind, asked)
    except PolicyParameterMissing as missing:
        got = {"grant": True, "amount": None} if missing.metadata["file"] == "training.yaml" else {"error": missing}
    return None if got == expected or same(got, expected) else (inputs, got, expected)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_both_programs_agree(kind: str, data: st.DataObject) -> None:
    assert differ(kind, data.draw(KINDS[kind])) is None


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_both_programs_agree_at_length(kind: str, data: st.DataObject) -> None:
    assert differ(kind, data.draw(KINDS[kind])) is None
