"""All pages of operators and staff; a new room of the office adds its list here."""

from __future__ import annotations

from services.gateway.console import (
    books,
    cards,
    counter,
    desk,
    office,
    operator,
    receipts,
    register,
    runs,
    suspense,
    transfers,
    verify_card,
)

CONSOLE_PAGES = (
    *operator.PAGES,
    *desk.PAGES,
    *counter.PAGES,
    *office.PAGES,
    *runs.PAGES,
    *receipts.PAGES,
    *suspense.PAGES,
    *books.PAGES,
    *register.PAGES,
    *transfers.PAGES,
    *verify_card.PAGES,
    *cards.PAGES,
)
