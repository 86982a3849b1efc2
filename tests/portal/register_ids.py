"""Numbers and small values of the invented person and employer."""

from __future__ import annotations

from typing import Any

from chassis.values import to_money, to_month, to_statement
from hrss.enrollment.v1 import (
    enrollment_pb2,
)
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from tests.portal.answers import PENSION

EMPLOYER, BILL, COVER = (ids.to_text(kind, ids.new_id()) for kind in ("emp", "bil", "cov"))
JOB, PROJECT, SUSPENSE = (ids.to_text(kind, ids.new_id()) for kind in ("job", "prj", "sus"))
TRANSFER, PLAN, REFUND, DIFFERENCE = (ids.to_text(kind, ids.new_id()) for kind in ("trf", "pln", "rfd", "dif"))
OTHER, REQUEST, FILE = (ids.to_text(kind, ids.new_id()) for kind in ("per", "prq", "fil"))
NUMBER = "7K2M9QX4T8W3H6PA"
CREDIT_CODE = "91320600MA1NT00083"
SCHEMES = (
    enrollment_pb2.SCHEME_EMPLOYEE_PENSION,
    enrollment_pb2.SCHEME_UNEMPLOYMENT,
    enrollment_pb2.SCHEME_WORK_INJURY,
)
STATEMENT = to_statement(PENSION, "0123456789abcdef")


def yuan(amount: str) -> Any:
    """An amount."""
    return to_money(Money.yuan(amount))


def month(year: int, number: int) -> Any:
    """A month."""
    return to_month(Month(year, number))
