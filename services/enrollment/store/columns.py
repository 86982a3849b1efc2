"""Columns of this service alone: a scheme by its official code."""

# ruff: noqa: ARG002 - the methods have SQLAlchemy's signature

from sqlalchemy import Dialect, SmallInteger, TypeDecorator

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
