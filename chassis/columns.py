"""Columns that hold values of the kernel: a month as its first day, money as fen, a word of a closed list as itself."""

# ruff: noqa: ARG002 - the methods have SQLAlchemy's signature

from datetime import date
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import BigInteger, Date, Dialect, Text, TypeDecorator

from kernel.calendar import Month
from kernel.money import Money

E = TypeVar("E", bound=StrEnum)


class MonthColumn(TypeDecorator[Month]):
    """A month, stored as its first day so that people and SQL can read and compare it."""

    impl = Date
    cache_ok = True

    def process_bind_param(self, value: Month | None, dialect: Dialect) -> date | None:
        """Month to day."""
        return None if value is None else value.first_day

    def process_result_value(self, value: date | None, dialect: Dialect) -> Month | None:
        """Day to month."""
        return None if value is None else Month.of(value)


class MoneyColumn(TypeDecorator[Money]):
    """An amount, stored as whole fen."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Money | None, dialect: Dialect) -> int | None:
        """Money to fen."""
        return None if value is None else value.fen

    def process_result_value(self, value: int | None, dialect: Dialect) -> Money | None:
        """Fen to money."""
        return None if value is None else Money(value)


def words(kind: type[E]) -> type[TypeDecorator[E]]:
    """A column type for the words of one enum; the database has the closed list as a CHECK."""

    class WordColumn(TypeDecorator[E]):
        impl = Text
        cache_ok = True

        def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
            return None if value is None else value.value

        def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
            return None if value is None else kind(value)

    return WordColumn
