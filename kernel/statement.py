"""Statements: an amount that can explain itself.

A statement (计算结果) is a list of lines; each line has an amount, the formula with the real numbers, the numbers that
went in, the legal sources, and the rows of law used with their confidence. The total is always the sum of the lines: a
final rounding is a line of its own with the code ``rounding``.
"""

import json
from dataclasses import dataclass
from typing import Any

from kernel.money import Money

ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class ParameterUse:
    """One row of law that went into a line."""

    file: str
    key: str
    value: str
    effective: str  # "2025-01-01..2025-12-31", an open end left empty
    confidence: str
    sources: tuple[str, ...] = ()
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One amount of a statement.

    Args:
        code: Key of the item, lower_snake with dots, unique in its statement.
        amount: The amount in fen, already rounded where the regulation rounds.
        title_zh: What the item is called, for citizens.
        title_en: The same in English.
        formula: The arithmetic with the real numbers.
        inputs: The numbers that went in, by name.
        sources: Ids of the legal sources.
        parameters: Rows of law used.
        provisional: Whether the line will be settled again when a final value is published.
    """

    code: str
    amount: Money
    title_zh: str
    title_en: str
    formula: str
    inputs: tuple[tuple[str, str], ...] = ()
    sources: tuple[str, ...] = ()
    parameters: tuple[ParameterUse, ...] = ()
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """The result of a calculation: its lines, in reading order."""

    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        codes = [line.code for line in self.lines]
        if len(set(codes)) != len(codes):
            raise ValueError("a statement has each line code once")

    @property
    def total(self) -> Money:
        """The sum of the lines."""
        return Money.total(line.amount for line in self.lines)

    @property
    def provisional(self) -> bool:
        """Whether any line will be settled again."""
        return any(line.provisional for line in self.lines)

    @property
    def assumed(self) -> bool:
        """Whether any row of law used is a working assumption."""
        return any(use.confidence == "assumed" for line in self.lines for use in line.parameters)

    def line(self, code: str) -> Line:
        """The line with a code."""
        for line in self.lines:
            if line.code == code:
                return line
        raise KeyError(code)

    def amount(self, code: str) -> Money:
        """The amount of a line, zero when the statement has no such line."""
        return Money.total(line.amount for line in self.lines if line.code == code)

    def to_plain(self) -> dict[str, Any]:
        """The statement as plain values for storage as JSON; amounts in fen."""
        return {"lines": [_line_to_plain(line) for line in self.lines]}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Statement":
        """Read what :meth:`to_plain` wrote."""
        return cls(tuple(_line_from_plain(line) for line in plain["lines"]))

    def canonical(self) -> str:
        """One text for one statement: keys sorted, no blanks; equal statements give equal texts."""
        return json.dumps(self.to_plain(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _line_to_plain(line: Line) -> dict[str, Any]:
    return {
        "code": line.code,
        "amount_fen": line.amount.fen,
        "title_zh": line.title_zh,
        "title_en": line.title_en,
        "formula": line.formula,
        "inputs": [[name, value] for name, value in line.inputs],
        "sources": list(line.sources),
        "parameters": [
            {
                "file": use.file,
                "key": use.key,
                "value": use.value,
                "effective": use.effective,
                "confidence": use.confidence,
                "sources": list(use.sources),
                "provisional": use.provisional,
            }
            for use in line.parameters
        ],
        "provisional": line.provisional,
    }


def _line_from_plain(plain: dict[str, Any]) -> Line:
    return Line(
        code=plain["code"],
        amount=Money(plain["amount_fen"]),
        title_zh=plain["title_zh"],
        title_en=plain["title_en"],
        formula=plain["formula"],
        inputs=tuple((name, value) for name, value in plain["inputs"]),
        sources=tuple(plain["sources"]),
        parameters=tuple(ParameterUse(**{**use, "sources": tuple(use["sources"])}) for use in plain["parameters"]),
        provisional=plain["provisional"],
    )
