"""Citizen numbers, credit codes and names, with the vectors of the standards."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from kernel.identity import (
    TEST_REGION,
    Divisions,
    check_credit_code,
    check_resident_id,
    make_credit_code,
    make_resident_id,
    normalise_employer_name,
    normalise_name,
)

TODAY = date(2026, 1, 1)
NANTONG = Divisions("3206", current=frozenset({"320613"}), former=frozenset({"320621"}))

births = st.dates(date(1900, 1, 1), TODAY)
divisions = st.integers(110000, 990000).map(str)


@pytest.mark.parametrize(
    ("number", "birth", "sex"),
    [
        ("11010519491231002X", date(1949, 12, 31), "female"),  # printed in GB 11643
        ("440524188001010014", date(1880, 1, 1), "male"),  # printed in GB 11643
        ("11010519491231002x", date(1949, 12, 31), "female"),
        ("１１０１０５１９４９１２３１００２ｘ", date(1949, 12, 31), "female"),
    ],
)
def test_a_number_of_the_standard_is_valid(number: str, birth: date, sex: str) -> None:
    found = check_resident_id(number, TODAY)

    assert (found.valid, found.reason, found.birth, found.sex) == (True, "", birth, sex)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("", "FORMAT"),
        ("11010519491231002", "FORMAT"),
        ("11010519491231002X ", "FORMAT"),
        ("11010519491231002X\n", "FORMAT"),
        ("01010519491231002X", "FORMAT"),
        ("110105179912310029", "FORMAT"),
        ("1101051949123100X2", "FORMAT"),
        ("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", "FORMAT"),
        ("110105491231002", "OLD_NUMBER"),
        ("110105194913310029", "BIRTH_DATE"),
        ("110105190002290029", "BIRTH_DATE"),
        ("110105194900310029", "BIRTH_DATE"),
        ("110105202601020029", "FUTURE_BIRTH"),
        ("110105194912310021", "CHECKSUM"),
    ],
)
def test_the_first_thing_that_is_wrong_is_named(number: str, reason: str) -> None:
    found = check_resident_id(number, TODAY)

    assert (found.valid, found.reason) == (False, reason)


def test_production_refuses_the_region_of_nobody() -> None:
    number = make_resident_id(TEST_REGION, date(1966, 3, 1), 1)

    assert check_resident_id(number, TODAY).valid
    assert check_resident_id(number, TODAY, allow_test_region=False).reason == "TEST_REGION"


@pytest.mark.parametrize(
    ("division", "warnings"),
    [("320613", ()), ("320621", ("DIVISION_FORMER",)), ("320699", ("DIVISION_UNKNOWN",)), ("110105", ())],
)
def test_a_division_is_never_more_than_a_warning(division: str, warnings: tuple[str, ...]) -> None:
    number = make_resident_id(division, date(1966, 3, 1), 2)

    found = check_resident_id(number, TODAY, divisions=NANTONG)

    assert (found.valid, found.warnings) == (True, warnings)


def test_the_representation_of_a_check_shows_no_number() -> None:
    number = make_resident_id("320613", date(1966, 3, 1), 3)

    assert number not in repr(check_resident_id(number, TODAY))


@given(divisions, births, st.integers(0, 999))
def test_a_made_number_is_valid_and_says_what_went_in(division: str, birth: date, sequence: int) -> None:
    found = check_resident_id(make_resident_id(division, birth, sequence), TODAY)

    assert (found.valid, found.birth, found.division) == (True, birth, division)
    assert found.sex == ("male" if sequence % 2 else "female")


@given(divisions, births, st.integers(0, 999), st.integers(0, 16), st.integers(1, 9))
def test_one_changed_digit_is_always_found(division: str, birth: date, sequence: int, place: int, shift: int) -> None:
    number = make_resident_id(division, birth, sequence)
    changed = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]

    assert not check_resident_id(changed, date(2199, 12, 31)).valid


@pytest.mark.parametrize("code", ["91350100M000100Y43", "91350100m000100y43", "９１３５０１００M000100Y43"])
def test_the_code_of_the_standard_is_valid(code: str) -> None:
    found = check_credit_code(code)

    assert (found.valid, found.organisation_check_ok, found.code) == (True, True, "91350100M000100Y43")
    assert (found.authority, found.kind, found.division) == ("9", "1", "350100")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("91320600MA1NT00038", "CHECKSUM"),
        ("91320600MA1NT0008", "FORMAT"),
        ("91320600MA1NT000830", "FORMAT"),
        ("9132060IMA1NT00083", "FORMAT"),
        ("91320600MA1NT00083\n", "FORMAT"),
        ("9132060\ufb00A1NT00083", "FORMAT"),  # a ligature that str.upper() would turn into FF
        ("", "FORMAT"),
    ],
)
def test_a_wrong_code_says_why(code: str, reason: str) -> None:
    assert check_credit_code(code).reason == reason


def test_a_wrong_inner_check_digit_is_a_warning_only() -> None:
    good = make_credit_code("320600", "MA1NT000")
    inner = good[:16] + ("1" if good[16] == "0" else "0")
    found = next(
        check_credit_code(inner + last)
        for last in "0123456789ABCDEFGHJKLMNPQRTUWXY"
        if check_credit_code(inner + last).valid
    )

    assert (found.valid, found.organisation_check_ok) == (True, False)


@given(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=8, max_size=8))
def test_a_made_code_is_valid(organisation: str) -> None:
    found = check_credit_code(make_credit_code("320600", organisation))

    assert (found.valid, found.organisation_check_ok) == (True, True)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("王小明", "王小明"),
        ("𠮷", "𠮷"),  # extension B, one character
        ("\U00030eda\U00031350", "\U00030eda\U00031350"),  # extensions G and H
        ("阿卜杜拉•买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉．买买提", "阿卜杜拉·买买提"),
        ("Jose\u0301 O'Neil-Smith Jr.", "José O'Neil-Smith Jr."),
        ("王" * 50, "王" * 50),
    ],
)
def test_a_name_is_stored_whole(typed: str, stored: str) -> None:
    assert normalise_name(typed) == stored


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "NAME_EMPTY"),
        ("王" * 51, "NAME_TOO_LONG"),
        ("a" + "\u0301" * 1000, "NAME_TOO_LONG"),
        (" 王小明", "NAME_FORM"),
        ("王小明 ", "NAME_FORM"),
        ("王··明", "NAME_FORM"),
        ("·王", "NAME_FORM"),
        ("王\u200b明", "NAME_CHARACTER"),
        ("王\u202e明", "NAME_CHARACTER"),
        ("王\n明", "NAME_CHARACTER"),
        ("王\x00明", "NAME_CHARACTER"),
        ("王1", "NAME_CHARACTER"),
        ("王\ufe0f明", "NAME_CHARACTER"),
        ("<b>王</b>", "NAME_CHARACTER"),
        ("x\u0305\u0305", "NAME_CHARACTER"),
        ("Иван", "NAME_CHARACTER"),
    ],
)
def test_a_name_that_misleads_is_refused(typed: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise_name(typed)

    assert caught.value.reason == reason
    assert typed not in str(caught.value) or not typed


def test_an_employer_may_have_digits_and_brackets() -> None:
    assert normalise_employer_name("南通第8纺织（集团）有限公司") == "南通第8纺织（集团）有限公司"
