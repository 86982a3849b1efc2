"""The inputs of a worked example, read by type, and values that stand in for rows of law."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar, cast

from kernel.calendar import Month, parse_date
from kernel.dated import Dated, DatedValue, given
from kernel.errors import InvalidInput
from kernel.money import Money
from ops.policy_examples import number_of

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

# Examples state their own figures; where one is left out, the law of this day answers.
DAY = date(2026, 1, 1)


class Inputs:
    """The inputs of an example, read by type; remembers what was asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._asked: set[str] = set()
        self._parts: list[tuple[str, Inputs]] = []

    @property
    def unused(self) -> tuple[str, ...]:
        """Inputs nobody asked for, those inside lists of mappings too (``rows.colour``)."""
        inside = [f"{name}.{field}" for name, part in self._parts for field in part.unused]
        return tuple(dict.fromkeys([*(str(name) for name in self._values if name not in self._asked), *inside]))

    @property
    def names(self) -> tuple[str, ...]:
        """Every input that is there."""
        return tuple(map(str, self._values))

    def has(self, name: str) -> bool:
        """Whether an input is there."""
        self._asked.add(name)
        return self._values.get(name) is not None

    def named(self, *words: str) -> str | None:
        """The first input that is there and whose name holds one of the words; examples name optional facts freely."""
        return next((name for name in self.names if any(word in name for word in words) and self.has(name)), None)

    def first(self, *names: str) -> str | None:
        """The first of some names that is there."""
        return next((name for name in names if self.has(name)), None)

    def raw(self, name: str) -> Any:
        """An input as written."""
        if not self.has(name):
            raise InvalidInput("INPUT_MISSING", f"the calculation needs {name}", field=name)
        return self._values[name]

    def text(self, name: str) -> str:
        """Text, or the digits of a number written without quotes."""
        return str(self.raw(name))

    def number(self, name: str) -> Decimal:
        """An exact number."""
        return exact(self.raw(name), name)

    def share(self, name: str) -> Decimal:
        """A rate or a share, which is not negative."""
        return _not_negative(self.number(name), name)

    def choice(self, name: str, kind: type[E]) -> E:
        """One of the values of an enumeration."""
        try:
            return kind(self.text(name))
        except ValueError:
            known = ", ".join(str(one) for one in kind)
            raise InvalidInput("INPUT_MALFORMED", f"{name} is one of {known}", field=name) from None

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        if default is not None and not self.has(name):
            return default
        number = self.number(name)
        if number != int(number):
            raise InvalidInput("INPUT_MALFORMED", f"{name} is a whole number", field=name)
        return int(number)

    def money(self, name: str) -> Money:
        """An amount of yuan, not negative, rounded half-up to the fen where it has more decimals."""
        return amount(self.raw(name), name)

    def money_or(self, name: str | None, default: Money = Money.ZERO) -> Money:
        """An amount of yuan where it is given."""
        return self.money(name) if name is not None and self.has(name) else default

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(name) if self.has(name) else default
        if not isinstance(value, bool):
            raise InvalidInput("INPUT_MALFORMED", f"{name} is true or false", field=name)
        return value

    def day(self, name: str) -> date:
        """A day."""
        return parse_date(self.text(name))

    def month(self, name: str) -> Month:
        """A month, also from a day in it."""
        return month_of(self.text(name))

    def mapping(self, name: str) -> Mapping[Any, Any]:
        """A mapping as written."""
        value = self.raw(name)
        if not isinstance(value, dict):
            raise InvalidInput("INPUT_MALFORMED", f"{name} is a mapping", field=name)
        return value

    def part(self, name: str) -> "Inputs":
        """A mapping inside."""
        return next(self._of([self.raw(name)], name))

    def items(self, name: str, only: str | None = None) -> Iterator["Inputs"]:
        """The mappings of a list; where there is but one thing to say, its bare words too."""
        if not isinstance(self.raw(name), list):
            raise InvalidInput("INPUT_MALFORMED", f"{name} is a list of mappings", field=name)
        return self._of(self.raw(name), name, only)

    def _of(self, items: Sequence[Any], name: str, only: str | None = None) -> Iterator["Inputs"]:
        for found in items:
            item = {only: found} if only is not None and isinstance(found, str) else found
            if not isinstance(item, dict):
                raise InvalidInput("INPUT_MALFORMED", f"{name} holds mappings", field=name)
            part = Inputs(item)
            self._parts.append((name, part))
            yield part


def exact(value: Any, name: str) -> Decimal:
    """The exact number that an input is."""
    number = None if isinstance(value, bool) else number_of(value)
    if number is None:
        raise InvalidInput("INPUT_MALFORMED", f"{name} is a number", field=name)
    return number


def amount(value: Any, name: str) -> Money:
    """The amount of yuan that an input is; law knows none below nothing."""
    return Money.rounded(_not_negative(exact(value, name), name))


def _not_negative(number: Decimal, name: str) -> Decimal:
    if number < 0:
        raise InvalidInput("INPUT_NEGATIVE", f"{name} is not negative", field=name)
    return number


def month_of(text: str) -> Month:
    """A month, also from a day in it."""
    return Month.of(parse_date(text)) if text.count("-") > 1 else Month.parse(text)


def always(name: str, value: T) -> Dated[T]:
    """A parameter that the example states itself, in force on every day."""
    row: DatedValue[T | None] = replace(given(name, cast("T | None", value), DAY), from_=date.min, to=None)
    return Dated("given", name, (row,))


# What a kind of example does: inputs in, plain text and numbers out.
Calculation = Callable[[Inputs], dict[str, Any]]
