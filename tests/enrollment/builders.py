"""Valid requests of enrolment; each test changes what it is about."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import calendar_pb2, money_pb2
from kernel.calendar import Month
from kernel.identity import TEST_REGION, make_credit_code, make_resident_id
from kernel.money import Money
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from collections.abc import Iterable

TODAY = date(2025, 3, 20)
NOW = Month.of(TODAY)
_numbers = itertools.count(1)

CLERK = a_principal(["CLERK"], purpose="counter", subject="idp|clerk")
PARTNER = a_principal(
    ["PARTNER"],
    subject="front-office",
    client="front-office",
    scopes=[
        "enrollment.write", "enrollment.read", "bills.write", "bills.read", "receipts.write", "accounts.write",
        "persons.search", "history.import",
    ],
)  # fmt: skip


def number() -> int:
    """A number that no other call of this process got."""
    return next(_numbers)


def an_id_no(birth: date | None = None, *, sex: str = "male") -> str:
    """A valid identity number of nobody, different each time; with a birth date given, 499 of them are."""
    one = number()
    if birth is None:
        birth = date(1985, 1, 1) + timedelta(days=one // 499)
    return make_resident_id(TEST_REGION, birth, 2 * (one % 499) + (1 if sex == "male" else 2))


def month(value: Month) -> calendar_pb2.Month:
    """A month of the contract."""
    return calendar_pb2.Month(year=value.year, month=value.month)


def money(text: str) -> money_pb2.Money:
    """An amount of the contract."""
    return money_pb2.Money(fen=Money.yuan(text).fen)


def day(value: date) -> calendar_pb2.Date:
    """A day of the contract."""
    return calendar_pb2.Date(year=value.year, month=value.month, day=value.day)


def an_employer(**changes: Any) -> pb.RegisterEmployerRequest:
    """A request to register an employer with a code of its own."""
    values = {
        "request_id": f"employer-{number()}",
        "credit_code": make_credit_code("320601", f"MA{number():06d}"),
        "name": "通州测试纺织有限公司",
        "division": "320613",
        "injury_class": 2,
        **changes,
    }
    return pb.RegisterEmployerRequest(**values)


def an_enrollment(employer_id: str, **changes: Any) -> pb.EnrollPersonRequest:
    """A request to enrol a man born in 1990 from this month on."""
    values = {
        "request_id": f"enroll-{number()}",
        "employer_id": employer_id,
        "name": "张建国",
        "id_no": an_id_no() if "id_no" not in changes else "",
        "start_month": month(NOW),
        "wage": money("8000.00"),
        "post": model.POST_PRODUCTION,
        **changes,
    }
    return pb.EnrollPersonRequest(**values)


def a_receipt(bill: model.Bill, **changes: Any) -> pb.RecordReceiptRequest:
    """A receipt that pays a bill in full."""
    values = {
        "request_id": f"receipt-{number()}",
        "receipt_no": f"TAX-{number():08d}",
        "bill_id": bill.bill_id,
        "amount": money_pb2.Money(fen=bill.total.fen - bill.paid.fen),
        "paid_date": day(TODAY),
        "simulated": True,
        **changes,
    }
    return pb.RecordReceiptRequest(**values)


def a_month_row(
    id_no: str, name: str, value: str, *, base: str = "5000.00", scheme: int = 110, state: str = "paid"
) -> str:
    """A row of imported history."""
    return f"month,{id_no},{name},{scheme},{value},{base},{state},,,"


def an_account_row(id_no: str, name: str, year: int, balance: str) -> str:
    """A row with the balance of an account."""
    return f"account,{id_no},{name},,,,,,{year},{balance}"


def a_history_file(rows: Iterable[str], *, encoding: str = "utf-8", totals: str = "") -> bytes:
    """A file of imported history with true control totals, unless others are given."""
    lines = list(rows)
    cells = [line.split(",") for line in lines]
    bases = Money.total(Money.yuan(row[5]) for row in cells if row[0] == "month" and row[5])
    balances = Money.total(Money.yuan(row[9]) for row in cells if row[0] == "account" and row[9])
    head = ["#hrss-history,1", "kind,id_no,name,scheme,month,base,state,employer_code,year,balance"]
    trailer = totals or f"#totals,{len(lines)},{bases},{balances}"
    return "\n".join([*head, *lines, trailer, ""]).encode(encoding)


def a_roster_row(
    id_no: str, *, name: str = "陈志强", start: str = str(NOW), wage: str = "8000.00", post: str = "production"
) -> str:
    """A row of an employer's roster, from this month on."""
    return f"{name},{id_no},{start},{wage},{post}"


def a_roster_file(rows: Iterable[str]) -> bytes:
    """An employer's roster."""
    return "\n".join(["name,id_no,start_month,wage,post", *rows, ""]).encode()
