"""What can be done here today, in one place: applied for as a case, or answered by a page of its own.

The catalogue lists more than this; for the rest it says where to go.
"""

from __future__ import annotations

# Applied for as a case.
CASE_ITEMS: tuple[str, ...] = ("EN05", "EN06", "BE01", "BE09", "BE10", "TR01", "CA06", "CA03")
CASE_BUNDLES: tuple[str, ...] = ("PK05",)
# Answered at once without an application: the pension estimate.
DIRECT_ITEMS: tuple[str, ...] = ("BE19",)

AVAILABLE_ITEMS = frozenset((*CASE_ITEMS, *DIRECT_ITEMS))
AVAILABLE_BUNDLES = frozenset(CASE_BUNDLES)
