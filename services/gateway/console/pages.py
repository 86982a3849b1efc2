"""All pages of operators and staff; a new room of the office adds its list here."""

from __future__ import annotations

from services.gateway.console import (
    adjusting,
    beneficiary,
    benefit,
    benefit_books,
    books,
    counter,
    desk,
    determining,
    keeping,
    office,
    operator,
    paid,
    paying,
    receipts,
    recovering,
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
    *paying.PAGES,
    *paid.PAGES,
    *determining.PAGES,
    *benefit.PAGES,
    *beneficiary.PAGES,
    *keeping.PAGES,
    *recovering.PAGES,
    *adjusting.PAGES,
    *benefit_books.PAGES,
    *verify_card.PAGES,
)
