"""A statement as a page shows it: rows of law that were used many times stand once, with all their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.gateway.portal.texts import Texts


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a parameter and when it is in force."""

    value: str
    start: str
    end: str
    confidence: str
    provisional: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter with the values that were used."""

    name: str
    values: tuple[Value, ...]
    sources: tuple[str, ...]


def explained(statement: Mapping[str, Any] | None, t: Texts) -> dict[str, Any] | None:
    """The statement for the macro `statement`: title, amount, formula, numbers, parameters and sources of each line."""
    if not statement:
        return None
    lines = [
        {
            **line,
            "title": line["title_zh"] if t.language == "zh" else line["title_en"],
            "inputs": [(_named(t, "input", one["name"]), one["value"]) for one in line["inputs"]],
            "parameters": _parameters(line["parameters"], t),
        }
        for line in statement["lines"]
    ]
    return {**statement, "lines": lines}


def now_and_next(amounts: Sequence[Mapping[str, Any]], month: str) -> tuple[Any, Any]:
    """Of the amounts of a benefit that one of a month, and one that begins later; None where there is none."""
    counting = [one for one in amounts if one["in_force"]]
    begun = [one for one in counting if one["from_month"] <= month]
    later = [one for one in counting if one["from_month"] > month]
    if not begun:  # it starts later
        return (later[0] if later else None), (later[-1] if len(later) > 1 else None)
    return begun[-1], (later[-1] if later else None)


def _parameters(used: list[dict[str, Any]], t: Texts) -> list[Parameter]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in used:
        found.setdefault((one["file"], one["key"]), []).append(one)
    return [
        Parameter(
            _named(t, "parameter", key),
            tuple(dict.fromkeys(_value(one) for one in rows)),
            tuple(dict.fromkeys(source for one in rows for source in one["sources"])),
        )
        for (_, key), rows in found.items()
    ]


def _value(one: Mapping[str, Any]) -> Value:
    start, _, end = one["effective"].partition("..")
    return Value(one["value"], start, end, one["confidence"], one["provisional"])


def _named(t: Texts, kind: str, name: str) -> str:
    """The name of a number or parameter in words; as it stands where the catalogue has none."""
    stem = name.partition("[")[0].replace(".", "_")
    key = f"statement.{kind}_{stem}"
    return t(key) if t.has(key) else name
