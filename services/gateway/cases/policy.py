"""What the published list of items says of each: names, legal limit, promised days (policy/services.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from chassis.policy import PolicyStore

SERVICES = "services.yaml"
CITY = "320600"  # 南通市 (GB/T 2260); numbers of cases whose place is not known, or lies in another city
CITY_PREFIX = "3206"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is published of an item or a bundle.

    Args:
        limit_days: Working days that the law allows; None where it gives no figure.
        promise_days: Working days that the city promises; None where it promises nothing.
    """

    code: str
    title_zh: str
    title_en: str
    limit_days: int | None = None
    promise_days: int | None = None


class CasePolicy:
    """The list of items by day."""

    def __init__(self, store: PolicyStore) -> None:
        self._items = store.table(SERVICES, "items", _titles)
        self._bundles = store.table(SERVICES, "bundles", _titles)
        self._limits = store.table(SERVICES, "limits", _days)
        self._promises = store.table(SERVICES, "promises", _days)

    def terms(self, code: str, today: date) -> Terms | None:
        """What is published of a code; None where there is no such item."""
        if (titles := self._items.on(today).value.get(code)) is not None:
            limit, promise = (each.on(today).value.get(code) for each in (self._limits, self._promises))
            return Terms(code, *titles, limit, promise)
        titles = self._bundles.on(today).value.get(code)
        return Terms(code, *titles) if titles else None


def region_of(division: str) -> str:
    """The first six digits of a number: the division where it lies in this city."""
    return division if division.startswith(CITY_PREFIX) else CITY


def _titles(value: Any) -> Mapping[str, tuple[str, str]]:
    return {one["code"]: (one["zh"], one["en"]) for one in value}


def _days(value: Any) -> Mapping[str, int | None]:
    return {one["code"]: one["days"] for one in value}
