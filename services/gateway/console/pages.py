"""All pages of operators and staff."""

from __future__ import annotations

from services.gateway.console import counter, desk, operator, verify_card

CONSOLE_PAGES = (*operator.PAGES, *desk.PAGES, *counter.PAGES, *verify_card.PAGES)
