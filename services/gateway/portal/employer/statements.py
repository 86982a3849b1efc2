"""The employer's statement (对账单) as values: amounts in yuan, months with their bills, and a period to ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

_MONTH = re.compile(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)
MONTHS_MAX = 24  # of one statement, as the contract says
_YEAR = 12
STATES = {"ISSUED": "bad", "PART_PAID": "warn", "PAID": "good"}


@dataclass(frozen=True, slots=True)
class Period:
    """First and last month of a statement."""

    first: str
    last: str


def period(query: Mapping[str, str], today: date) -> Period:
    """The period that is asked for, else the last twelve months; never more than the contract allows."""
    this = today.year * _YEAR + today.month - 1
    last = _read(query.get("last", ""), this)
    first = _read(query.get("first", ""), last - _YEAR + 1)
    first = min(max(first, last - MONTHS_MAX + 1), last)
    return Period(_month(first), _month(last))


def _read(given: str, otherwise: int) -> int:
    text = given.strip().replace("/", "-").replace(".", "-")
    year, _, number = text.partition("-")
    text = f"{year}-{number.zfill(2)}"
    if not _MONTH.fullmatch(text):
        return otherwise
    return int(text[:4]) * _YEAR + int(text[5:7]) - 1


def _month(count: int) -> str:
    return f"{count // _YEAR:04}-{count % _YEAR + 1:02}"


def read(content: str) -> dict[str, Any]:
    """The canonical statement with its amounts as the contract writes them elsewhere ("1234.50")."""
    found: dict[str, Any] = _in_yuan(orjson.loads(content))
    for bill in found["bills"]:
        bill["open"] = yuan(fen(bill["total"]) - fen(bill["paid"]))
        bill["tone"] = STATES.get(bill["state"], "")
    for demand in found["demands"]:
        demand["open"] = yuan(fen(demand["total"]) - fen(demand["paid"]))
    return found


def yuan(amount: int) -> str:
    """Fen as an amount of the contract."""
    return f"{Decimal(amount) / 100:.2f}"


def fen(amount: str) -> int:
    """An amount of the contract in fen."""
    return int(Decimal(amount) * 100)


def _in_yuan(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name.removesuffix("_fen"): yuan(one) if name.endswith("_fen") else _in_yuan(one)
            for name, one in value.items()
        }
    return [_in_yuan(one) for one in value] if isinstance(value, list) else value
