"""The plan's file as the platform wants it: seventeen rows in order, each said to be counted or missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chassis.operations import Period
from chassis.policy import PolicyInvalid
from services.gateway.platform.indicators import SCALES, Comparison, Indicator, Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from chassis.policy import PolicyStore

FILE = "plan-indicators.yaml"
ROWS = 17
_PROPERTIES = ("binding", "expected")
_SPANS = ("annual", "cumulative")
_EXTENTS = ("whole", "part")


class PlanPolicy:
    """The indicators and the years they are counted over.

    Raises:
        PolicyInvalid: A row is out of order, named twice, or neither counted nor missing.
    """

    def __init__(self, store: PolicyStore, today: date) -> None:
        self.version = store.version
        years = _row(store, "period", today)
        self.period = Period(years.value["first"].first_day, years.value["last"].last_day)
        targets = _row(store, "targets", today)
        about = {name: _by_key(name, _row(store, name, today).value) for name in ("remarks", "counted", "missing")}
        self.indicators = tuple(_indicator(row, about, targets.source) for row in targets.value)
        self._check(about)

    @property
    def services(self) -> tuple[str, ...]:
        """Services that count something."""
        return tuple(dict.fromkeys(one.counted_by for one in self.indicators if one.counted_by))

    def _check(self, about: Mapping[str, Mapping[str, Any]]) -> None:
        problems = []
        if [one.number for one in self.indicators] != list(range(1, ROWS + 1)):
            problems.append(f"{FILE}: targets: numbers are 1 to {ROWS}, in order")
        keys = [one.key for one in self.indicators]
        if len(set(keys)) != len(keys):
            problems.append(f"{FILE}: targets: a key is given twice")
        for name, rows in about.items():
            problems += [f"{FILE}: {name}: {key} is no indicator" for key in rows if key not in keys]
        for one in self.indicators:
            if one.counted_by and SCALES[one.unit] is None:
                problems.append(f"{FILE}: counted: {one.key} is a rate, which no count can be")
            if (one.is_partial or not one.counted_by) != bool(one.missing.zh):
                problems.append(f"{FILE}: {one.key}: what is not counted in full says what is missing, and only that")
        if problems:
            raise PolicyInvalid(problems)


def _row(store: PolicyStore, key: str, today: date) -> Any:
    return store.table(FILE, key, lambda value: value).on(today)


def _by_key(name: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if found.setdefault(row["key"], row) is not row:
            raise PolicyInvalid([f"{FILE}: {name}: {row['key']} is given twice"])
    return found


def _indicator(
    row: Mapping[str, Any], about: Mapping[str, Mapping[str, Mapping[str, Any]]], sources: tuple[str, ...]
) -> Indicator:
    key = row["key"]
    counted, missing = about["counted"].get(key), about["missing"].get(key)
    _require(key, row["comparison"], tuple(Comparison))
    _require(key, row["unit"], tuple(SCALES))
    _require(key, row["property"], _PROPERTIES)
    _require(key, row["span"], _SPANS)
    if counted:
        _require(key, counted["extent"], _EXTENTS)
    return Indicator(
        number=row["number"],
        key=key,
        name=Words(row["zh"], row["en"]),
        unit=row["unit"],
        comparison=Comparison(row["comparison"]),
        target=row["target"],
        is_binding=row["property"] == "binding",
        is_cumulative=row["span"] == "cumulative",
        counted_by=counted["service"] if counted else "",
        counts=_words(counted),
        is_partial=bool(counted and counted["extent"] == "part"),
        missing=_words(missing),
        owner=Words(missing["owner_zh"], missing["owner_en"]) if missing else Words(),
        remark=_words(about["remarks"].get(key)),
        sources=sources,
    )


def _words(row: Mapping[str, Any] | None) -> Words:
    return Words(row["zh"], row["en"]) if row else Words()


def _require(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise PolicyInvalid([f"{FILE}: {key}: {value} is none of {', '.join(known)}"])
