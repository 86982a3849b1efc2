"""Files of worked examples: reading them, and comparing an outcome with what is expected.

Numbers are compared as numbers, all else as text; fields that do not apply are left out, so both sides must have the
same fields. A refusal may be expected too: ``expected: {error: NAME}`` or ``expected: NAME``, the name being a reason
(``POLICY_PARAMETER_MISSING``) or a kind (``PolicyParameterMissing``, ``InvalidInput``), or ``refused`` for any; of a
refusal only the fields are compared that are expected.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", re.ASCII)
_PLAIN_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)", re.ASCII)
_ERROR = "error"
_ANY_REFUSAL = frozenset({"refused", "refusal", "error", "true"})


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
    """YAML in which all but plain whole numbers stays text: no binary fraction, one parser of dates, no octal code."""


for _kind in ("float", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", lambda _, node: node.value)
_Loader.add_constructor(
    "tag:yaml.org,2002:int", lambda _, node: int(node.value) if _PLAIN_INTEGER.fullmatch(node.value) else node.value
)


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
    fields = dict(example) if isinstance(example, dict) else {}
    if isinstance(fields.get("expected"), str):
        fields["expected"] = {_ERROR: fields["expected"]}
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
            ours_by, theirs_by = ({str(key): value for key, value in side.items()} for side in (got, expected))
            return ours_by.keys() == theirs_by.keys() and all(same(ours_by[key], theirs_by[key]) for key in ours_by)
        case list(), list():
            return len(got) == len(expected) and all(map(same, got, expected))
        case (bool(), _) | (_, bool()):
            return type(got) is not int and type(expected) is not int and str(got).lower() == str(expected).lower()
    ours, theirs = number_of(got), number_of(expected)
    return ours == theirs if ours is not None and theirs is not None else str(got) == str(expected)


def refused_as(got: Mapping[str, Any], kinds: Collection[str], expected: Mapping[str, Any]) -> bool:
    """Whether a refusal is the expected one: by its reason or a kind of it, and by the fields that are expected.

    Args:
        got: The refusal as printed, its reason under ``error``.
        kinds: Names of the kinds it belongs to.
        expected: What the example expects.
    """
    wanted = _letters(expected.get(_ERROR, ""))
    named = wanted in _ANY_REFUSAL or wanted in {_letters(name) for name in (got[_ERROR], *kinds)}
    return named and all(same(got.get(name), value) for name, value in expected.items() if name != _ERROR)


def _letters(name: Any) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


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
