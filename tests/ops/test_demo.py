"""The cast of the story: enough people, valid and different ones, the same for the same name, and its roster."""

from __future__ import annotations

from datetime import date

from kernel.calendar import Month
from kernel.identity import check_resident_id
from ops.demo.people import EMPLOYEES, RETIREMENT, SIZE_MAX, START, draw, roster_of


def test_everybody_is_somebody_else_with_a_valid_number() -> None:
    cast = draw("one", SIZE_MAX)
    numbers = [check_resident_id(each.id_no, date(2025, 1, 3)) for each in cast.employees]

    assert all(each.valid and each.division == "990000" for each in numbers)
    assert len({each.number for each in numbers}) == len({each.name for each in cast.employees}) == SIZE_MAX
    for each, number in zip(cast.employees, numbers, strict=True):
        assert (number.birth, number.sex == "male") == (each.birth, each.male)
        is_young = Month.of(each.birth).months_until(RETIREMENT) < 50 * 12
        assert is_young or each is cast.retiree


def test_the_same_name_draws_the_same_cast_and_twenty_others_share_nobody() -> None:
    assert draw("one") == draw("one")
    runs = [draw(f"run {number}") for number in range(20)]

    numbers = [each.id_no for cast in runs for each in cast.employees]
    assert len(set(numbers)) == len(numbers) == 20 * EMPLOYEES
    assert len({cast.credit_code for cast in runs}) == 20


def test_a_spoilt_number_stands_in_the_roster_as_a_spreadsheet_writes_it() -> None:
    cast = draw("one", 12)
    spoilt = cast.on_roster[-1]

    lines = roster_of(cast.on_roster, START, spoilt=spoilt).decode("utf-8-sig").split("\r\n")

    assert lines[0] == "姓名,公民身份号码,起始月份,月工资,岗位"
    assert lines[1].split(",")[1:3] == [cast.on_roster[0].id_no, "2025-01"]
    assert lines[-2].split(",")[1] == "9.900E+17"
    assert lines[-1] == ""
