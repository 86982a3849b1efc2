"""All pages of operators and staff."""

from __future__ import annotations

from services.gateway.console import counter, desk, operator

CONSOLE_PAGES = (*operator.PAGES, *desk.PAGES, *counter.PAGES)
