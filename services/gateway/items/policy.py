"""The catalogue as `policy/services.yaml` has it on a day."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from chassis.policy import PolicyInvalid, PolicyStore
from services.gateway.items.domain import Bundle, Catalogue, Item, misfits

if TYPE_CHECKING:
    from datetime import date

    from kernel.dated import DatedValue

FILE = "services.yaml"


class ItemPolicy:
    """The catalogue by day."""

    def __init__(self, store: PolicyStore) -> None:
        self._items = store.table(FILE, "items", tuple)
        self._limits = store.table(FILE, "limits", _days)
        self._promises = store.table(FILE, "promises", _days)
        self._bundles = store.table(FILE, "bundles", tuple)
        self.on = lru_cache(maxsize=8)(self._on)  # the catalogue of a day is read often and changes seldom

    def _on(self, day: date) -> Catalogue:
        items, limits, promises = self._items.on(day), self._limits.on(day).value, self._promises.on(day)
        catalogue = Catalogue(
            tuple(_item(one, items, limits, promises) for one in items.value),
            tuple(_bundle(one) for one in self._bundles.on(day).value),
        )
        if problems := list(misfits(catalogue)):
            raise PolicyInvalid([f"{FILE}: {problem}" for problem in problems])
        return catalogue


def _days(rows: Any) -> dict[str, int | None]:
    return {row["code"]: row["days"] for row in rows}


def _item(one: Any, items: DatedValue[Any], limits: dict[str, int | None], promises: DatedValue[Any]) -> Item:
    code = one["code"]
    return Item(
        code=code,
        zh=one["zh"],
        en=one["en"],
        audience=one["audience"],
        service=one["service"],
        limit_days=limits[code],
        promise_days=promises.value[code],
        materials=one["materials"],
        shared=one["shared"],
        note_zh=one["note_zh"] or "",
        note_en=one["note_en"] or "",
        sources=items.source,
        promise_confidence=str(promises.confidence),
    )


def _bundle(one: Any) -> Bundle:
    return Bundle(one["code"], one["zh"], one["en"], one["items"], one["external"], one["sources"])
