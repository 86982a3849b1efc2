"""What a benchmark says: rows with a figure, what it is measured against, and whether the required ratio is met."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from rich.table import Table

from ops.bench.measure import median

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

HEAD = ("benchmark", "figure", "spread", "beside", "ratio", "required", "met", "load", "note")

DOUBTFUL = (
    "A load with ! is more than the machine has processors. The platform itself may be it; where it is somebody else,"
    " the figure is not to be trusted, only ratios of what took turns."
)


@dataclass(frozen=True)
class Row:
    """One figure.

    Args:
        name: What was measured.
        figure: The median over the rounds.
        unit: What the figure counts.
        peer: What it is measured against, in the same run; or a limit.
        peer_figure: The median of that, in the same unit.
        required: Least ratio of figure to peer (largest, where `is_cost`); None asks for nothing.
        is_cost: A smaller figure is better: the ratio is peer to figure.
        note: What else a reader has to know.
        rounds: The figure of every round; the spread of one round says nothing.
        ratios: The ratio of every pair of rounds, where ours and the peer took turns; their median is the ratio, for
            what disturbs one pair does not disturb the others.
        load: Load of the machine over the last minute when the row was measured, as the runner saw it.
    """

    name: str
    figure: float
    unit: str
    peer: str = ""
    peer_figure: float | None = None
    required: float | None = None
    is_cost: bool = False
    note: str = ""
    rounds: Sequence[float] = ()
    ratios: Sequence[float] = ()
    load: float | None = None

    @classmethod
    def of(cls, name: str, rounds: Sequence[float], unit: str, **more: Any) -> Self:
        """A row of several rounds: the median is the figure; `more` as in the class."""
        return cls(name, median(rounds), unit, rounds=tuple(rounds), **more)

    @classmethod
    def beside(
        cls,
        name: str,
        pairs: Sequence[tuple[float, float]],
        unit: str,
        peer: str,
        *,
        is_cost: bool = False,
        **more: Any,
    ) -> Self:
        """A row whose figure took turns with its peer: each pair is a round, ours first."""
        ours, theirs = [mine for mine, _ in pairs], [other for _, other in pairs]
        ratios = [other / mine if is_cost else mine / other for mine, other in pairs if mine and other]
        more |= {"peer": peer, "peer_figure": median(theirs), "is_cost": is_cost, "ratios": tuple(ratios)}
        return cls.of(name, ours, unit, **more)

    @property
    def ratio(self) -> float | None:
        """How often the peer goes into the figure; of costs the other way round, so that more is always better."""
        if self.ratios:
            return median(self.ratios)
        if not self.peer_figure or not self.figure:
            return None
        return self.peer_figure / self.figure if self.is_cost else self.figure / self.peer_figure

    @property
    def is_met(self) -> bool | None:
        """Whether the ratio is as required; None where nothing is."""
        if self.required is None or self.ratio is None:
            return None
        return self.ratio >= self.required

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        beside = f"{_number(self.peer_figure)} {self.unit} · {self.peer}" if self.peer_figure is not None else self.peer
        return (
            self.name,
            f"{_number(self.figure)} {self.unit}",
            _spread(self.rounds, _number),
            beside,
            "" if self.ratio is None else f"{self.ratio:.2f}{_in_brackets(_spread(self.ratios, '{:.2f}'.format))}",
            "" if self.required is None else f"≥ {self.required:g}",
            {True: "yes", False: "NO", None: "–"}[self.is_met],
            "" if self.load is None else f"{self.load:.1f}{'!' * self.is_doubtful}",
            self.note,
        )

    @property
    def is_doubtful(self) -> bool:
        """Whether more waited for the processors than there are: then no figure is to be trusted, and ratios little."""
        return self.load is not None and self.load > (os.cpu_count() or 1)


@dataclass
class Result:
    """A run: the machine, its rows, and what could not be measured."""

    machine: Mapping[str, Any]
    begun: str
    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        rows = [
            {**asdict(row), "ratio": row.ratio, "met": row.is_met, "doubtful": row.is_doubtful} for row in self.rows
        ]
        return {
            "begun": self.begun,
            "seconds": round(self.seconds, 1),
            "machine": dict(self.machine),
            "rows": rows,
            "failures": self.failures,
        }

    def as_markdown(self) -> str:
        """The table for a document."""
        machine = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.machine.items())
        lines = [f"# Bench {self.begun}", "", f"{machine}; {self.seconds:.0f} s.", ""]
        lines += _markdown_row(HEAD), _markdown_row(["---"] * len(HEAD))
        lines += [_markdown_row(row.cells()) for row in self.rows]
        if any(row.is_doubtful for row in self.rows):
            lines += ["", DOUBTFUL]
        lines += ["", *(f"- not measured: **{name}**: {reason}" for name, reason in self.failures.items())]
        return "\n".join(lines).rstrip() + "\n"

    def as_table(self) -> Table:
        """The table for a terminal."""
        table = Table(*HEAD, title=f"bench {self.begun}")
        for row in self.rows:
            style = {True: "green", False: "red", None: ""}[row.is_met]
            table.add_row(*row.cells(), style=style)
        return table

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write both files; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"bench-{self.begun.replace(':', '').replace('-', '')}"
        plain, shown = folder / f"{stem}.json", folder / f"{stem}.md"
        plain.write_text(json.dumps(self.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        shown.write_text(self.as_markdown(), encoding="utf-8")
        return plain, shown


def _spread(rounds: Sequence[float], show: Callable[[float], str]) -> str:
    return f"{show(min(rounds))} – {show(max(rounds))}, {len(rounds)} rounds" if len(rounds) > 1 else ""


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _number(value: float | None) -> str:
    if value is None:
        return ""
    for limit, form in ((100, ",.0f"), (1, ",.1f")):
        if abs(value) >= limit:
            return format(value, form)
    return format(value, ".3f")


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
