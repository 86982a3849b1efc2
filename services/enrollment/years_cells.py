"""The cells of a row of layout 2 (`years_file`): schemes, months, bases, years. Pure, and read by the million.

The usual form of a cell is looked for first; whatever is not of that form goes the long way, which decides.
"""

import csv
import re
from typing import NamedTuple

from services.enrollment.history_file import AMOUNT_MAX, LINE_MAX, amount_of
from services.enrollment.moving import COUNTED, EVERY_MONTH, MONTHS

COLUMNS = ("kind", "id_no", "name", "year", "schemes", "months", "bases", "employer_code", "balance")

_SCHEMES = {"110": 1, "210": 2, "410": 4}
_TIMES = {str(number): number for number in range(1, MONTHS + 1)}
_YEARS = {str(number): number for number in range(1000, 10_000)}  # of four digits, and of these digits only
# Yuan without a leading zero, two digits of fen; how many months, from 1 to 12 without one either.
_USUAL = re.compile(r"([1-9][0-9]{0,11})\.([0-9]{2})\*([1-9]|1[0-2])", re.ASCII)
_SPACE = re.compile(r"\s")

Months = tuple[int, int, int]  # bits of the months, bits of the deemed ones, how many months


class Bases(NamedTuple):
    """Bases of the counted months in fen: one for all months, or twelve; their sum, and whether they can count."""

    fen: tuple[int, ...]
    total: int
    is_good: bool


NO_BASES = Bases((), 0, is_good=False)


def scheme_bits(text: str) -> int:
    """Schemes as bits; none when they cannot be read."""
    bits = 0
    for code in text.split("+"):
        bit = _SCHEMES.get(code, 0)
        if not bit or bits & bit:
            return 0
        bits |= bit
    return bits


def month_bits(text: str) -> Months:
    """Months and deemed months as bits, and how many; none when it cannot be read."""
    if len(text) != MONTHS or text.strip("PD."):
        return 0, 0, 0
    mask = sum(1 << place for place, letter in enumerate(text) if letter != ".")
    return mask, sum(1 << place for place, letter in enumerate(text) if letter == "D"), mask.bit_count()


def read_bases(text: str, pattern: Months) -> Bases:
    """Bases of the counted months, written once for all or in runs."""
    mask, deemed, count = pattern
    runs: list[int] = []
    for part in text.split(";"):
        if (usual := _USUAL.fullmatch(part)) is not None:
            yuan, cents, times = usual.groups()
            runs += [int(yuan + cents)] * _TIMES[times]
            continue
        amount, star, times = part.partition("*")
        fen = _fen(amount)
        if fen < 0 or (star and times not in _TIMES):
            return NO_BASES
        runs += [fen] * _TIMES.get(times, 1)
    if len(runs) == 1 and "*" not in text:
        runs *= count
    if len(runs) != count or not count:
        return NO_BASES
    total = sum(runs)
    first = runs[0]
    if runs.count(first) == count:
        return Bases((first,), total, is_good=first > 0 or deemed == mask)
    if mask == EVERY_MONTH and not deemed:
        return Bases(tuple(runs), total, is_good=min(runs) > 0)
    following = iter(runs)
    bases = tuple([next(following) if mask >> place & 1 else 0 for place in range(MONTHS)])
    paid = mask & ~deemed
    return Bases(bases, total, is_good=all(bases[place] > 0 for place in range(MONTHS) if paid >> place & 1))


def _fen(text: str) -> int:
    """An amount that is not negative, in fen; -1 when it is none."""
    amount = amount_of(text)
    return amount.fen if amount is not None and 0 <= amount.fen <= AMOUNT_MAX.fen else -1


def year_number(text: str) -> int:
    """A year of four digits; 0 when it is none."""
    return _YEARS.get(text, 0)


def cells_of(text: str) -> list[str] | None:
    """The cells of a line, without spaces around them; None when it is no line of the format."""
    if len(text) > LINE_MAX:
        return None
    if '"' in text:
        try:
            cells = next(csv.reader([text], strict=True))
        except (csv.Error, StopIteration):
            return None
    else:
        cells = text.split(",")
    if len(cells) != len(COLUMNS):
        return None
    return [cell.strip() for cell in cells] if _SPACE.search(text) else cells


assert EVERY_MONTH == (1 << MONTHS) - 1
assert set(_SCHEMES.values()) == set(COUNTED)
