"""Types that a parameter may declare for its values, and their strict readers.

A word (``money``, ``rate``, …), ``[type]`` for a list, ``{name: type}`` for a record; ``"type?"`` allows null.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?", re.ASCII)


class Problem(Exception):  # noqa: N818 - a finding, collected rather than raised to anybody
    """One thing that is wrong, without its place."""


def converter(declared: Any) -> Callable[[Any], Any]:
    """The reader of a declared type: a word, ``[type]`` a list, ``{name: type}`` a record; ``?`` allows null."""
    match declared:
        case str():
            return _scalar(declared)
        case [item]:
            read_item = converter(item)
            return lambda value: tuple(read_item(part) for part in list_of(value))
        case dict() if declared:
            parts = {str(name): converter(part) for name, part in declared.items()}
            return lambda value: MappingProxyType(
                {name: read(keys_of(value, " ".join(parts))[name]) for name, read in parts.items()}
            )
        case _:
            raise Problem("has a type that cannot be read")


def _scalar(word: str) -> Callable[[Any], Any]:
    read = _SCALARS.get(word.removesuffix("?"))
    if read is None:
        raise Problem(f"has an unknown type {word}")
    if word.endswith("?"):
        return lambda value: None if value is None else read(value)
    return read


def _convert_money(value: Any) -> Money:
    try:
        return Money.yuan(words_of(value))
    except InvalidInput as error:
        raise Problem(error.message) from None


def read_number(value: Any) -> Decimal:
    """An exact number from its text, or a problem."""
    if not _NUMBER.fullmatch(words_of(value)):
        raise Problem(f"{value} is not an exact number")
    return Decimal(value)


def _convert_rate(value: Any) -> Decimal:
    rate = read_number(value)
    if not 0 <= rate <= 10:  # noqa: PLR2004 - rates are fractions; a percentage written by mistake is caught here
        raise Problem(f"{value} is not a rate")
    return rate


def _convert_integer(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise Problem("must be a whole number")
    return value


def _convert_month(value: Any) -> Month:
    try:
        return Month.parse(words_of(value))
    except InvalidInput as error:
        raise Problem(error.message) from None


def keys_of(mapping: Any, required: str, optional: str = "") -> dict[str, Any]:
    """The mapping, when it has all required keys and none beyond the optional ones."""
    if not isinstance(mapping, dict):
        raise Problem("must be a mapping")
    must, may = set(required.split()), set(optional.split())
    if absent := must - mapping.keys():
        raise Problem(f"lacks {', '.join(sorted(absent))}")
    if unknown := [str(key) for key in mapping if key not in must | may]:
        raise Problem(f"has unknown keys: {', '.join(sorted(unknown))}")
    return mapping


def list_of(value: Any) -> list[Any]:
    """The list, or a problem."""
    if not isinstance(value, list):
        raise Problem("must be a list")
    return value


def words_of(value: Any) -> str:
    """The text, or a problem."""
    if not isinstance(value, str) or not value.strip():
        raise Problem("must be text")
    return value


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "money": _convert_money,
    "number": read_number,
    "rate": _convert_rate,
    "integer": _convert_integer,
    "month": _convert_month,
    "text": words_of,
    "code": words_of,
}
