"""``hrss policy check FILE``: run worked examples of the law through the code that decides in production."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from chassis.policy import PolicyInvalid, open_policy, release_directory
from kernel.errors import DomainError, InvalidInput
from ops.policy_calculations import Calculator, Inputs
from ops.policy_examples import Example, UnreadableError, near, read_examples, refused_as, same

Status = Literal["pass", "fail", "not_supported"]

_PASS, _FAILED, _UNREADABLE = 0, 1, 2


def check(path: Path, as_json: bool) -> int:  # noqa: FBT001 - the command line hands the flag on by position
    """Run the examples of a file and print the outcome.

    Args:
        path: The file.
        as_json: Print JSON instead of a table.

    Returns:
        0 when every supported example passes, 1 when one fails, 2 when the file or the law cannot be read.
    """
    try:
        examples = read_examples(path)
        store = open_policy(Path(os.environ.get("HRSS_POLICY_DIR") or release_directory()))
    except UnreadableError as error:
        sys.stderr.write(f"无法读取 {path}：{error.zh}\ncannot read {path}: {error.en}\n")
        return _UNREADABLE
    except PolicyInvalid as error:
        sys.stderr.write(f"政策文件有误 / {error}\n")
        return _UNREADABLE
    calculator = Calculator(store)
    outcomes = [run(example, calculator) for example in examples]
    if as_json:
        plain = {"examples": [outcome.to_plain() for outcome in outcomes]}
        sys.stdout.write(json.dumps(plain, ensure_ascii=False, indent=1) + "\n")
    else:
        _print_table(outcomes)
    for outcome in outcomes:
        if outcome.status == "not_supported":
            sys.stderr.write(f"{outcome.id}: 没有这种计算 / no such calculation: {outcome.calc}\n")
        if outcome.unused:
            unused = ", ".join(outcome.unused)
            sys.stderr.write(f"{outcome.id}: 未使用的输入 / inputs not used: {unused}\n")
    return _FAILED if any(outcome.status == "fail" for outcome in outcomes) else _PASS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an example."""

    id: str
    calc: str
    status: Status
    got: Mapping[str, Any] | None
    expected: Mapping[str, Any]
    unused: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "id": self.id,
            "calc": self.calc,
            "status": self.status,
            "got": self.got,
            "expected": self.expected,
        }


def run(example: Example, calculator: Calculator) -> Outcome:
    """Calculate an example and compare."""
    inputs = Inputs(example.inputs)
    try:
        got = calculator.calculate(example.calc, inputs)
    except DomainError as error:
        refusal = {"error": error.reason, **error.metadata, **({"field": error.field} if error.field else {})}
        return _refused(example, refusal, [kind.__name__ for kind in type(error).__mro__])
    except (TypeError, ValueError, AttributeError, ArithmeticError, LookupError):
        # a shape no reader foresaw; the example is wrong, not the law
        return _refused(example, {"error": "INPUT_MALFORMED"}, [InvalidInput.__name__])
    if got is None:
        return Outcome(example.id, example.calc, "not_supported", None, example.expected)
    official = all(
        near(got.get(name), figure, example.tolerance.get(name, 0)) for name, figure in example.official.items()
    )
    status: Status = "pass" if same(got, dict(example.expected)) and official else "fail"
    return Outcome(example.id, example.calc, status, got, example.expected, inputs.unused)


def _refused(example: Example, refusal: dict[str, Any], kinds: list[str]) -> Outcome:
    """A refusal, which an example may expect; what it left unread says nothing."""
    status: Status = "pass" if refused_as(refusal, kinds, example.expected) else "fail"
    return Outcome(example.id, example.calc, status, refusal, example.expected)


def _print_table(outcomes: list[Outcome]) -> None:
    table = Table(title="政策示例核对 / worked examples")
    for column in ("id", "calc", "结果 status", "得到 got", "应为 expected"):
        table.add_column(column, overflow="fold")
    colours = {"pass": "green", "fail": "red", "not_supported": "yellow"}
    for outcome in outcomes:
        differs = outcome.status == "fail"
        table.add_row(
            outcome.id,
            outcome.calc,
            f"[{colours[outcome.status]}]{outcome.status}[/]",
            json.dumps(outcome.got, ensure_ascii=False) if differs else "",
            json.dumps(outcome.expected, ensure_ascii=False) if differs else "",
        )
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in colours}
    table.caption = " · ".join(f"{status} {count}" for status, count in counts.items())
    Console().print(table)


def _main(arguments: list[str]) -> int:
    files = [argument for argument in arguments if not argument.startswith("-")]
    if len(files) != 1 or any(argument not in {*files, "--json"} for argument in arguments):
        sys.stderr.write("用法 / usage: python -m ops.policy_check FILE [--json]\n")
        return _UNREADABLE
    return check(Path(files[0]), "--json" in arguments)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
