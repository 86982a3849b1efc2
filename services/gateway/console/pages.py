"""All pages of operators and staff."""

from __future__ import annotations

from services.gateway.console import operator

CONSOLE_PAGES = (*operator.PAGES,)
