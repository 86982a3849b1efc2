"""The employer's pages: months with bills and money, lists by file, projects; for agents, and for staff who serve them.

Each page shows what the API lets its visitor do: an agent reaches the employers that granted them and no file upload,
a clerk at the counter serves any employer.
"""

from __future__ import annotations

from services.gateway.portal.employer import bills, find, lists, months, projects

PAGES = (*find.PAGES, *months.PAGES, *bills.PAGES, *lists.PAGES, *projects.PAGES)
