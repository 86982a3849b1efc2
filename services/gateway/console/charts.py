"""The plan's indicators as bars: lengths are decided here, with exact decimals, and drawn by the template as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FULL = 80  # where the target stands on a bar of 100, so that more than the target can be seen
_LEAST = Decimal("0.6")  # what is there is seen, however little it is


@dataclass(frozen=True, slots=True)
class Bar:
    """One indicator on the chart.

    Args:
        row: The indicator as the API shows it.
        length: Of the bar, 0 to 100; None where there is no figure.
        share: Actual in hundredths of the target, for people; empty where there is no figure.
        state: "reached", "open" or "unknown".
    """

    row: Mapping[str, Any]
    length: str | None
    share: str
    state: str

    @property
    def is_more(self) -> bool:
        """Whether the bar would be longer than there is room."""
        return self.length == "100"


def bars(rows: Iterable[Mapping[str, Any]]) -> list[Bar]:
    """The bars of all indicators, in their order."""
    return [_bar(row) for row in rows]


def _bar(row: Mapping[str, Any]) -> Bar:
    if not row["actual"]:
        return Bar(row, None, "", "unknown")
    share = Decimal(row["actual"]) / Decimal(row["target"])
    length = min(Decimal(100), share * FULL)
    if share > 0:
        length = max(length, _LEAST)
    state = "reached" if row["is_reached"] else "open"
    return Bar(row, f"{length.quantize(Decimal('0.1')).normalize():f}", _percent(share), state)


def _percent(share: Decimal) -> str:
    """A share in words: "0.0001 %", "87.5 %"; digits as many as say something."""
    percent = share * 100
    digits = Decimal("0.1") if percent >= 1 or not percent else Decimal(1).scaleb(percent.adjusted() - 1)
    return f"{percent.quantize(digits).normalize():f}"
