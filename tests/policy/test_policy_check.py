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
        ("{wage: 1, floor: 1, ceiling: 2, rates: 3}", {"error": "INPUT_MALFORMED"}),
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


def test_numbers_are_compared_as_numbers_and_everything_else_as_text() -> None:
    assert same({"rate": "0.50", "months": 24}, {"rate": "0.5", "months": "24"})
    assert same("60y4m", "60y4m")
    assert same([{"year": 2024}], [{"year": "2024"}])
    assert not same(got=1, expected=True)
    assert not same("2025-01", "2025-1")
    assert not same([1, 2], [1])


def test_an_official_figure_may_differ_by_its_tolerance_and_no_more() -> None:
    assert near("817.37", "817.43", "0.06")
    assert not near("817.37", "817.43", "0.05")
    assert not near(None, "817.43", "0.05")
