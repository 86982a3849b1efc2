"""Values by day: both sides of each border, and nothing instead of what is not known."""

from datetime import date
from decimal import Decimal

import pytest

from kernel.dated import Confidence, Dated, DatedValue, given
from kernel.errors import PolicyParameterMissing


def a_row(value: str | None, first: date, last: date | None) -> DatedValue[Decimal | None]:
    number = None if value is None else Decimal(value)
    return DatedValue(number, first, last, Confidence.LIKELY, ("SOME-LAW",), "rate", "law.yaml")


RATE = Dated(
    "law.yaml",
    "rate",
    (
        a_row("0.20", date(2006, 1, 1), date(2016, 4, 30)),
        a_row("0.16", date(2019, 5, 1), date(2025, 12, 31)),
        a_row(None, date(2026, 1, 1), None),
    ),
)


@pytest.mark.parametrize(
    ("day", "value"),
    [
        (date(2006, 1, 1), "0.20"),
        (date(2016, 4, 30), "0.20"),
        (date(2019, 5, 1), "0.16"),
        (date(2025, 12, 31), "0.16"),
    ],
)
def test_the_row_of_the_day_answers_on_both_its_ends(day: date, value: str) -> None:
    found = RATE.on(day)

    assert (found.value, found.provisional) == (Decimal(value), False)
    assert RATE.covers(day)


@pytest.mark.parametrize("day", [date(2005, 12, 31), date(2016, 5, 1), date(2019, 4, 30), date(2026, 1, 1)])
def test_a_day_without_a_known_value_is_refused(day: date) -> None:
    with pytest.raises(PolicyParameterMissing) as caught:
        RATE.on(day)

    assert caught.value.metadata == {"file": "law.yaml", "key": "rate", "on": str(day)}
    assert not RATE.covers(day)


def test_only_a_rule_that_says_so_gets_the_latest_value_and_it_is_provisional() -> None:
    found = RATE.provisionally_on(date(2026, 6, 1))

    assert (found.value, found.provisional, found.effective) == (Decimal("0.16"), True, "2019-05-01..2025-12-31")
    assert not RATE.provisionally_on(date(2025, 6, 1)).provisional
    with pytest.raises(PolicyParameterMissing):
        RATE.provisionally_on(date(2005, 12, 31))


def test_a_row_tells_a_statement_what_it_is() -> None:
    use = RATE.on(date(2025, 6, 1)).use()

    assert (use.file, use.key, use.value, use.confidence, use.sources) == (
        "law.yaml", "rate", "0.16", "likely", ("SOME-LAW",),
    )  # fmt: skip


def test_a_given_value_does_not_pretend_to_be_law() -> None:
    assert given("rate", Decimal("0.1"), date(2025, 1, 1)).file == "given"


def test_mapping_keeps_what_is_not_known() -> None:
    doubled = RATE.map(lambda rate: rate * 2)

    assert doubled.on(date(2025, 1, 1)).value == Decimal("0.32")
    assert not doubled.covers(date(2026, 1, 1))
