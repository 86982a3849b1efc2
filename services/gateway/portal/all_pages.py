"""All pages that are served; a new group of pages adds its list here."""

from __future__ import annotations

from services.gateway.portal.citizen import (
    account,
    apply,
    arrears,
    benefits,
    card,
    cases,
    certificates,
    contact,
    contributions,
    covers,
    estimate,
    family,
    insurance,
    records,
    start,
    transfers,
)
from services.gateway.portal.employer import PAGES as EMPLOYER

ALL_PAGES = (
    *start.PAGES,
    *records.PAGES,
    *benefits.PAGES,
    *insurance.PAGES,
    *contributions.PAGES,
    *account.PAGES,
    *arrears.PAGES,
    *covers.PAGES,
    *certificates.PAGES,
    *transfers.PAGES,
    *estimate.PAGES,
    *card.PAGES,
    *contact.PAGES,
    *family.PAGES,
    *cases.PAGES,
    *apply.PAGES,
    *EMPLOYER,
)
