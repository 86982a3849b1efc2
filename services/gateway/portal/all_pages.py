"""All pages that are served; a new group of pages adds its list here."""

from __future__ import annotations

from services.gateway.portal.citizen import start

ALL_PAGES = (*start.PAGES,)
