"""All pages that are served; a new group of pages adds its list here."""

from __future__ import annotations

from services.gateway.portal.citizen import apply, card, cases, estimate, records, start

ALL_PAGES = (*start.PAGES, *records.PAGES, *estimate.PAGES, *card.PAGES, *cases.PAGES, *apply.PAGES)
