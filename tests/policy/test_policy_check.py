"""The command that runs examples: its exits, its JSON, and that it notices a wrong expectation."""

import json
from pathlib import Path

import pytest

from ops.policy_check import check
from ops.policy_examples import near, same

GOOD = """
examples:
- {id: A, calc: id_check, inputs: {number: 11010519491231002X, as_of: 2026-01-01},
   expected: {valid: true, birth: 1949-12-31, sex: female, division: "110105"}}
- {id: B, calc: uscc_check, inputs: {code: 91320600MA1NT00038}, expected: {valid: false, reason: CHECKSUM}}
- {id: C, calc: weather, inputs: {}, expected: {rain: true}}
"""


def a_file(folder: Path, text: str) -> Path:
    path = folder / "examples.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_passing_examples_exit_with_zero_and_unknown_calculations_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = check(a_file(tmp_path, GOOD), as_json=True)

    outcomes = json.loads(capsys.readouterr().out)["examples"]
    assert code == 0
    assert [outcome["status"] for outcome in outcomes] == ["pass", "pass", "not_supported"]
    assert set(outcomes[0]) == {"id", "calc", "status", "got", "expected"}
    assert outcomes[0]["got"] == {"valid": True, "birth": "1949-12-31", "sex": "female", "division": "110105"}


@pytest.mark.parametrize(
    "expected",
    ["{valid: false, reason: FORMAT}", "{valid: false}", "{valid: false, reason: CHECKSUM, more: 1}", "{valid: 0}"],
)
def test_a_wrong_expectation_fails_and_exits_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], expected: str
) -> None:
    text = f"examples: [{{id: A, calc: uscc_check, inputs: {{code: 91320600MA1NT00038}}, expected: {expected}}}]"

    code = check(a_file(tmp_path, text), as_json=False)

    assert code == 1
    assert "fail" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("examples: [", "YAML"),
        ("- a list", "examples"),
        ("examples: []", "examples"),
        ("examples: [{id: A}]", "示例"),
        ("\ud800", ""),
    ],
)
def test_a_file_that_is_none_exits_with_two_and_says_why_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "examples.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    assert check(path, as_json=True) == 2

    message = capsys.readouterr().err
    assert "无法读取" in message
    assert "cannot read" in message
    assert said in message


def test_a_missing_file_exits_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "none.yaml", as_json=False) == 2
    assert "cannot be opened" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("inputs", "got"),
    [
        ("{floor: 4952, ceiling: 24762, rates: {}}", {"error": "INPUT_MISSING", "field": "wage"}),
        ("{wage: many, floor: 1, ceiling: 2, rates: {}}", {"error": "INPUT_MALFORMED", "field": "wage"}),
        ("{wage: 1, floor: 1, ceiling: 2, rates: 3}", {"error": "INPUT_MALFORMED", "field": "rates"}),
        ("{wage: -1, floor: 1, ceiling: 2, rates: {}}", {"error": "INPUT_NEGATIVE", "field": "wage"}),
        ("{wage: 1, floor: 1, ceiling: 2, rates: {total: -0.2}}", {"error": "INPUT_NEGATIVE", "field": "total"}),
        ("{wage: 1, floor: 2, ceiling: 1, rates: {}}", {"error": "INPUT_MALFORMED", "field": "ceiling"}),
    ],
)
def test_wrong_inputs_fail_by_name_instead_of_stopping_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], inputs: str, got: dict[str, str]
) -> None:
    text = f"examples: [{{id: A, calc: contribution, inputs: {inputs}, expected: {{base: 1}}}}]"

    assert check(a_file(tmp_path, text), as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["examples"][0]["got"] == got


def test_an_input_that_nobody_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.replace("code: 91320600MA1NT00038", "code: 91320600MA1NT00038, colour: red")

    check(a_file(tmp_path, text), as_json=True)

    assert "B: 未使用的输入 / inputs not used: colour" in capsys.readouterr().err


def test_an_unread_input_inside_a_list_is_named_and_an_unknown_calculation_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = "{rows: [{year: 2024, monthly_base: 8132, months: 1, index_base_year: 97584, colour: red}]}"
    text = f"{GOOD}- {{id: D, calc: avg_index, inputs: {inputs}, expected: {{months: 1, index4: 1}}}}\n"

    assert check(a_file(tmp_path, text), as_json=True) == 0

    said = capsys.readouterr().err
    assert "D: 未使用的输入 / inputs not used: rows.colour" in said
    assert "C: 没有这种计算 / no such calculation: weather" in said


UNKNOWN_BASE = "{area: city, year: 2021, balance: 0, full_years: 15}"


@pytest.mark.parametrize(
    ("inputs", "expected", "code"),
    [
        (UNKNOWN_BASE, "{error: PolicyParameterMissing}", 0),
        (UNKNOWN_BASE, "{error: POLICY_PARAMETER_MISSING, key: base_pension.nantong.city, 'on': 2021-01-01}", 0),
        (UNKNOWN_BASE, "PolicyParameterMissing", 0),
        (UNKNOWN_BASE, "refused", 0),
        (UNKNOWN_BASE, "{error: PolicyParameterMissing, 'on': 2022-01-01}", 1),
        (UNKNOWN_BASE, "{error: INPUT_NEGATIVE}", 1),
        (UNKNOWN_BASE, "{monthly_total: 0}", 1),
        ("{base_pension: 253, balance: -1, full_years: 15}", "{error: InvalidInput, field: balance}", 0),
        ("{base_pension: 253, balance: 0, full_years: 15}", "refused", 1),
    ],
)
def test_a_refusal_may_be_what_is_expected(tmp_path: Path, inputs: str, expected: str, code: int) -> None:
    text = f"examples: [{{id: A, calc: resident_pension, inputs: {inputs}, expected: {expected}}}]"

    assert check(a_file(tmp_path, text), as_json=True) == code


def test_what_yaml_would_turn_into_other_numbers_stays_as_written(tmp_path: Path) -> None:
    inputs = "{password: 012345, id_number: 320612196501010013}"
    text = (
        f"examples: [{{id: A, calc: ecard_password, inputs: {inputs}, expected: {{ok: false, reason: CONSECUTIVE}}}}]"
    )

    assert check(a_file(tmp_path, text), as_json=True) == 0


def test_numbers_are_compared_as_numbers_and_everything_else_as_text() -> None:
    assert same({"rate": "0.50", "months": 24}, {"rate": "0.5", "months": "24"})
    assert same("60y4m", "60y4m")
    assert same([{"year": 2024}], [{"year": "2024"}])
    assert same({"2024": 1, "valid": True}, {2024: "1.0", "valid": "true"})
    assert not same({"valid": True}, {"valid": "false"})
    assert not same(got=1, expected=True)
    assert not same("2025-01", "2025-1")
    assert not same([1, 2], [1])


def test_an_official_figure_may_differ_by_its_tolerance_and_no_more() -> None:
    assert near("817.37", "817.43", "0.06")
    assert not near("817.37", "817.43", "0.05")
    assert not near(None, "817.43", "0.05")
