"""Insurance through time: which scheme with whom from when to when, the gaps between, and what was true in a month.

Pure values of what the API told; a gap is a month between the first and the last insured one in which nothing insured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.gateway.portal.texts import Texts

WIDTH, _LABEL_YEARS = 600, 5


@dataclass(frozen=True, slots=True)
class Span:
    """Months in a row in one scheme.

    Attributes:
        first: First month, "2025-01".
        last: Last month; empty while it lasts.
        name: Employer or kind of cover.
        state: Of the participation; empty for a gap.
        reason: Why it ended; empty while it lasts.
        path: Page that says more; empty: none.
    """

    first: str
    last: str
    name: str = ""
    state: str = ""
    reason: str = ""
    path: str = ""

    @property
    def is_gap(self) -> bool:
        """Whether nothing was insured."""
        return not self.state


@dataclass(frozen=True, slots=True)
class Bar:
    """A span as it is drawn: place and width in units of the drawing."""

    x: float
    width: float
    is_gap: bool


@dataclass(frozen=True, slots=True)
class History:
    """One scheme through time, newest first, with its drawing."""

    scheme: str
    spans: tuple[Span, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, int], ...]

    @property
    def gap_months(self) -> int:
        """Months without insurance between insured ones."""
        return sum(months_between(one.first, one.last) for one in self.spans if one.is_gap)


def histories(found: Mapping[str, Any], t: Texts, this_month: str) -> list[History]:
    """Every scheme of GetInsurance through time."""
    names = {one["employer_id"]: one["employer_name"] for one in found["employments"]}
    kinds = {one["cover_id"]: one["kind"] for one in found.get("covers", ())}
    by_scheme: dict[str, list[Span]] = {}
    for one in found["participations"]:
        cover = one.get("cover_id", "")
        reason = one["end_reason"]
        by_scheme.setdefault(one["scheme"], []).append(
            Span(
                one.get("start_month", ""),
                one.get("end_month", ""),
                t.word(kinds[cover]) if cover in kinds else names.get(one["employer_id"], ""),
                one["state"],
                "" if reason == "END_REASON_UNSPECIFIED" else reason,
                f"/covers/{cover}" if cover else "",
            )
        )
    everything = [span for spans in by_scheme.values() for span in spans if span.first]
    since = min((span.first for span in everything), default=this_month)
    return [_history(scheme, spans, since, this_month) for scheme, spans in by_scheme.items()]


def true_in(found: Iterable[History], month: str) -> list[tuple[str, Span]]:
    """What insured in a month, by scheme."""
    return [
        (one.scheme, span)
        for one in found
        for span in one.spans
        if not span.is_gap and span.first <= month and (not span.last or month <= span.last)
    ]


def with_gaps(spans: Iterable[Span]) -> list[Span]:
    """The spans in order of time with the gaps between them; spans may overlap."""
    made: list[Span] = []
    until = ""  # last month insured so far; "9999-12" while something lasts
    for one in sorted(spans, key=lambda span: span.first):
        if until and one.first > after(until):
            made.append(Span(after(until), before(one.first)))
        made.append(one)
        until = max(until, one.last or "9999-12")
    return made


def _history(scheme: str, spans: list[Span], since: str, this_month: str) -> History:
    ordered = with_gaps(spans)
    whole = max(12, months_between(since, this_month))
    scale = WIDTH / whole

    def x_of(month: str) -> float:
        return round(min(WIDTH, max(0, (months_between(since, month) - 1) * scale)), 1)

    bars = tuple(
        Bar(
            x_of(one.first),
            max(2.0, round(x_of(after(min(one.last or this_month, this_month))) - x_of(one.first), 1)),
            one.is_gap,
        )
        for one in ordered
    )
    first_year, last_year = int(since[:4]), int(this_month[:4])
    step = max(1, -(-(last_year - first_year) // _LABEL_YEARS))
    ticks = tuple((x_of(f"{year}-01"), year) for year in range(first_year + 1, last_year + 1, step))
    return History(scheme, tuple(reversed(ordered)), bars, ticks)


def months_between(first: str, last: str) -> int:
    """Months from the first to the last, both counted."""
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:7]) - int(first[5:7]) + 1


def after(month: str) -> str:
    """The month after; of "9999-12", itself."""
    year, number = int(month[:4]), int(month[5:7])
    if month == "9999-12":
        return month
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def before(month: str) -> str:
    """The month before."""
    year, number = int(month[:4]), int(month[5:7])
    return f"{year - 1:04}-12" if number == 1 else f"{year:04}-{number - 1:02}"
