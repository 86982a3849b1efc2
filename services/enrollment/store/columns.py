"""Columns of this service alone: a scheme by its official code; months of rows that come by the hundred."""

# ruff: noqa: ARG002 - the methods have SQLAlchemy's signature

from datetime import date
from functools import lru_cache

from sqlalchemy import Dialect, SmallInteger, TypeDecorator

from kernel.calendar import Month
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import SCHEME_CODES, SCHEMES


class SchemeColumn(TypeDecorator[Scheme]):
    """A scheme, stored by its official code: two bytes in tables of a billion rows."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Scheme | None, dialect: Dialect) -> int | None:
        """Scheme to code."""
        return None if value is None else SCHEME_CODES[value]

    def process_result_value(self, value: int | None, dialect: Dialect) -> Scheme | None:
        """Code to scheme."""
        return None if value is None else SCHEMES[value]


@lru_cache(maxsize=4096)
def month_of(day: date) -> Month:
    """The month that a first day stands for; a register has a few hundred of them and reads them by the million."""
    return Month.of(day)
