"""Two programs, one law: random examples come out alike from the code that decides and from one written apart."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from ops.policy_calculations import Calculator, Inputs
from ops.policy_examples import same
from tests.policy import second_program

if TYPE_CHECKING:
    from collections.abc import Callable

CALCULATOR = Calculator(open_policy(release_directory()))


def yuan(most: int) -> st.SearchStrategy[str]:
    """An amount up to so many fen, as text."""
    return st.integers(0, most).map(second_program.text)


def some(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """The inputs of an example, optional ones there or not."""
    return st.fixed_dictionaries(required, optional=optional)


WAGE, YEAR, BIG = yuan(5 * 10**6), yuan(10**7), yuan(10**8)
DEPENDANT = some({"relation": st.sampled_from(["child", "mother", "father", "other"])}, orphan=st.booleans())
FAMILY = st.tuples(st.booleans(), st.lists(DEPENDANT, max_size=6)).map(
    lambda found: [{"relation": "spouse"}, *found[1]] if found[0] else found[1]
)
BANDS = st.tuples(st.integers(1, 30), st.integers(0, 5000), st.integers(0, 5000)).map(
    lambda found: [
        {"upto_years": found[0], "amount": f"{found[1] // 1000}.{found[1] % 1000:03d}"},
        {"upto_years": None, "amount": second_program.text(found[2])},
    ]
)
TILT = [{"age_from": 70, "age_to": 79, "amount": "15.5"}, {"age_from": 80, "age_to": None, "amount": "40"}]

RETIRED = st.dates(date(2013, 1, 1), date(2040, 12, 31)).map(str)
KINDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "government": some({"retire_date": RETIRED, "old": WAGE, "new": WAGE}),
    "resident_pension": some(
        {"base_pension": yuan(10**5), "balance": BIG, "full_years": st.integers(0, 50)},
        supplement_rate=st.sampled_from(["0", "0.01", "0.015"]),
    ),
    "injury": some(
        {"grade": st.integers(1, 10), "avg12": WAGE, "area_avg": yuan(10**6), "min_wage": yuan(5 * 10**5)},
        nursing=st.sampled_from(["full", "most", "part"]),
    ),
    "termination": some(
        {"grade": st.integers(5, 10), "months_to_statutory_age": st.integers(-3, 90)},
        employer_fault=st.booleans(),
        occupational_disease=st.booleans(),
    ),
    "death": some({"area_avg": yuan(10**6), "national_income_prev": YEAR, "own_wage": WAGE, "dependants": FAMILY}),
    "survivor": some(
        {"annual_income_prev": YEAR, "contribution_months": st.integers(0, 480)},
        drawn_months=st.integers(0, 400),
        own_contributions=YEAR,
    ),
    "certification": st.tuples(st.dates(date(1990, 1, 1), date(2090, 12, 31)), st.integers(0, 800)).map(
        lambda pair: {
            "last": str(pair[0]),
            "as_of": str(pair[0] + timedelta(days=pair[1])),
        }
    ),
    "adjustment": some(
        {
            "pension": WAGE,
            "full_years": st.integers(0, 60),
            "age": st.integers(40, 110),
            "flat": yuan(10**4),
            "bands": BANDS,
            "percent": st.integers(0, 500).map(lambda value: f"0.{value:04d}"),
            "tilt": st.just(TILT),
        }
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(data=st.data())
def test_both_programs_agree(kind: str, data: st.DataObject) -> None:
    inputs = data.draw(KINDS[kind])
    apart: Callable[[dict[str, Any]], dict[str, Any]] = getattr(second_program, kind)

    got = CALCULATOR.calculate(kind, Inputs(inputs))

    assert same(got, apart(inputs)), (got, apart(inputs))
