"""Files of layout 2 and requests about what moves; each test changes what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.money import Money

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = ["#hrss-history,2", "kind,id_no,name,year,schemes,months,bases,employer_code,balance"]


def a_year_row(
    id_no: str,
    name: str,
    year: int,
    *,
    schemes: str = "110+210+410",
    months: str = "PPPPPPPPPPPP",
    bases: str = "5000.00",
    employer: str = "",
) -> str:
    """A person-year."""
    return f"year,{id_no},{name},{year},{schemes},{months},{bases},{employer},"


def a_balance_row(id_no: str, name: str, year: int, balance: str) -> str:
    """The balance of an account at the end of a year."""
    return f"account,{id_no},{name},{year},,,,,{balance}"


def a_years_file(rows: Iterable[str], *, encoding: str = "utf-8", totals: str = "") -> bytes:
    """A file of layout 2 with true control sums, unless others are given; what cannot be read counts as nothing."""
    lines = list(rows)
    return "\n".join([*HEAD, *lines, totals or totals_of(lines), ""]).encode(encoding)


def totals_of(lines: list[str]) -> str:
    """The control sums, in the words of the how-to and sharing no code with the reader."""
    persons = pension = unemployment = injury = 0
    bases = balances = Money.ZERO
    last = None
    for line in lines:
        kind, id_no, _, _, schemes, months, amounts, _, balance = line.split(",")
        persons += id_no != last
        last = id_no
        if kind == "account":
            balances += Money.yuan(balance)
        codes = schemes.split("+")
        if kind != "year" or not set(codes) <= {"110", "210", "410"} or set(months) - set("PD."):
            continue
        count = 12 - months.count(".")
        pension += count * ("110" in codes)
        unemployment += count * ("210" in codes)
        injury += count * ("410" in codes)
        runs = [part.partition("*") for part in amounts.split(";")]
        total = Money.total(Money.yuan(amount) * int(times or "1") for amount, _, times in runs)
        if len(runs) == 1 and "*" not in amounts:
            total = Money.yuan(amounts) * count
        elif sum(int(times or "1") for _, _, times in runs) != count:
            continue
        bases += total * len(codes)
    return f"#totals,{len(lines)},{persons},{pension},{unemployment},{injury},{bases},{balances}"
