"""Items and bundles as values, and the search over them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.gateway.items.pinyin import initials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Item:
    """An item (事项).

    Attributes:
        limit_days: Limit of the law in working days; None where the law gives no figure, 0 for at once.
        promise_days: What the platform promises in working days; None where it promises nothing.
        shared: Materials that data sharing gives and nobody is asked for (免交).
    """

    code: str
    zh: str
    en: str
    audience: str
    service: str
    limit_days: int | None
    promise_days: int | None
    materials: tuple[str, ...]
    shared: tuple[str, ...]
    note_zh: str
    note_en: str
    sources: tuple[str, ...]
    promise_confidence: str

    @property
    def is_instant(self) -> bool:
        """Whether the answer comes at once (即办件)."""
        return self.promise_days == 0


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle (一件事): items that belong together, and what other authorities do in it."""

    code: str
    zh: str
    en: str
    items: tuple[str, ...]
    external: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All items and bundles in their order."""

    items: tuple[Item, ...]
    bundles: tuple[Bundle, ...]

    def item(self, code: str) -> Item | None:
        """The item of a code, whatever its case."""
        return next((item for item in self.items if item.code == code.strip().upper()), None)

    def bundles_of(self, code: str) -> Iterator[Bundle]:
        """The bundles that an item is part of."""
        return (bundle for bundle in self.bundles if code in bundle.items)

    def search(self, query: str) -> Iterator[Item]:
        """Items that have every word of a query in code, name, pinyin initials or materials; all for no words."""
        words = _folded(query).split()
        return (item for item in self.items if all(_has(item, word) for word in words))


def misfits(catalogue: Catalogue) -> Iterator[str]:
    """What is wrong with a catalogue: codes that stand twice, and steps of bundles that are no items."""
    yield from _twice(item.code for item in catalogue.items)
    yield from _twice(bundle.code for bundle in catalogue.bundles)
    known = {item.code for item in catalogue.items}
    for bundle in catalogue.bundles:
        yield from (f"{bundle.code} names {code}, which is no item" for code in bundle.items if code not in known)


def _twice(codes: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            yield f"{code} stands twice"
        seen.add(code)


def _has(item: Item, word: str) -> bool:
    texts = (item.code, item.zh, item.en, *item.materials, *item.shared)
    return any(word in _folded(text) for text in texts) or (word.isascii() and word in initials(item.zh))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
