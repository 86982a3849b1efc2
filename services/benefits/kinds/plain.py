"""The facts of a determination as plain values and back: what is stored with a calculation and recomputed from.

One codec for every kind: a dataclass of months, days, amounts, numbers, words, histories and other such dataclasses.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

from kernel.calendar import Month, parse_date
from kernel.money import Money
from services.benefits.history import History


@dataclass(frozen=True, slots=True)
class Facts:
    """Base of the facts that go into a calculation."""

    def to_plain(self) -> dict[str, Any]:
        """The facts as plain values."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """Read what `to_plain` wrote; a fact that did not exist then has its default."""
        hints = _hints(cls)
        return cls(**{name: _read(hints[name], value) for name, value in plain.items()})


_HINTS: dict[type, dict[str, Any]] = {}  # read once for each class


def _hints(made: type) -> dict[str, Any]:
    if made not in _HINTS:
        _HINTS[made] = get_type_hints(made)
    return _HINTS[made]


def _plain(value: Any) -> Any:
    found = value
    match value:
        case Facts() | History():
            found = value.to_plain()
        case Money():
            found = value.fen
        case StrEnum():
            found = value.value
        case Month() | Decimal():
            found = str(value)
        case date():
            found = value.isoformat()
        case tuple():
            found = [_plain(one) for one in value]
        case None | bool() | int() | str():
            pass
        case _:
            raise TypeError(f"a fact is never a {type(value).__name__}")
    return found


def _read(hint: Any, value: Any) -> Any:
    inner = [one for one in get_args(hint) if one is not NoneType]
    if get_origin(hint) in {UnionType, Union}:
        return None if value is None else _read(inner[0], value)
    if get_origin(hint) is tuple:
        return tuple(_read(inner[0], one) for one in value)
    return next((read(hint, value) for made, read in _READERS if issubclass(hint, made)), value)


_READERS: tuple[tuple[type, Callable[[Any, Any], Any]], ...] = (
    (Month, lambda _, value: Month.parse(value)),
    (date, lambda _, value: parse_date(value)),
    (Facts, lambda hint, value: hint.from_plain(value)),
    (History, lambda hint, value: hint.from_plain(value)),
    (Money, lambda hint, value: hint(value)),
    (Decimal, lambda hint, value: hint(value)),
    (StrEnum, lambda hint, value: hint(value)),
)
