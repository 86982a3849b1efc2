"""Files of worked examples: reading them, and comparing an outcome with what is expected.

Numbers are compared as numbers, all else as text; fields that do not apply are left out, so both sides must have the
same fields.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", re.ASCII)


class UnreadableError(Exception):
    """The file is no file of examples; says why in two languages."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


@dataclass(frozen=True, slots=True)
class Example:
    """One worked example as written in the file."""

    id: str
    calc: str
    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    official: Mapping[str, Any]
    tolerance: Mapping[str, Any]


class _Loader(yaml.CSafeLoader):
    """YAML in which numbers with a point and dates stay text: no binary fraction, one parser of dates."""


for _kind in ("float", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", lambda _, node: node.value)


def read_examples(path: Path) -> list[Example]:
    """Read a file of examples.

    Raises:
        UnreadableError: No such file, no YAML, or not the form of examples.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
    except OSError as error:
        reason = error.strerror or "?"
        raise UnreadableError(f"文件打不开（{reason}）", f"the file cannot be opened ({reason})") from None
    except (UnicodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise UnreadableError(f"不是有效的 UTF-8 YAML{line}", f"it is not valid YAML in UTF-8{line}") from None
    examples = content.get("examples") if isinstance(content, dict) else None
    if not isinstance(examples, list) or not examples:
        raise UnreadableError("缺少 examples 列表", "it has no list named examples")
    return [_read_example(number, example) for number, example in enumerate(examples, start=1)]


def _read_example(number: int, example: Any) -> Example:
    fields = example if isinstance(example, dict) else {}
    if not all(isinstance(fields.get(name), dict) for name in ("inputs", "expected")) or "calc" not in fields:
        raise UnreadableError(
            f"第 {number} 个示例缺少 calc、inputs 或 expected", f"example {number} lacks calc, inputs or expected"
        )
    return Example(
        id=str(fields.get("id", number)),
        calc=str(fields["calc"]),
        inputs=fields["inputs"],
        expected=fields["expected"],
        official=fields.get("official_figures") or {},
        tolerance=fields.get("official_tolerance") or {},
    )


# Comparing ------------------------------------------------------------------------------------------------------------


def same(got: Any, expected: Any) -> bool:
    """Whether two outcomes are equal: the same fields, numbers as numbers, everything else as text."""
    match got, expected:
        case dict(), dict():
            return {str(key) for key in got} == {str(key) for key in expected} and all(
                same(got[key], expected[key]) for key in expected
            )
        case list(), list():
            return len(got) == len(expected) and all(map(same, got, expected))
        case (bool(), _) | (_, bool()):
            return got is expected
    ours, theirs = number_of(got), number_of(expected)
    return ours == theirs if ours is not None and theirs is not None else str(got) == str(expected)


def number_of(value: Any) -> Decimal | None:
    """The exact number that a text or a number is, or nothing."""
    text = str(value)
    return Decimal(text) if len(text) < 40 and _NUMBER.fullmatch(text) else None  # noqa: PLR2004 - no figure is longer


def near(got: Any, official: Any, tolerance: Any) -> bool:
    """Whether an outcome agrees with an official figure within a tolerance."""
    ours, theirs = number_of(got), number_of(official)
    if ours is None or theirs is None:
        return same(got, official)
    return abs(ours - theirs) <= (number_of(tolerance) or 0)
