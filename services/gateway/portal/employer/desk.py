"""What the employer's pages share: who may come, which employer it is, and the tabs between the pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.gateway.portal.visit import Visit

EMPLOYER = frozenset({"EMPLOYER_AGENT", "CLERK", "SUPERVISOR", "AUDITOR"})
STAFF = frozenset({"CLERK", "SUPERVISOR", "AUDITOR"})
CLERK = frozenset({"CLERK"})
PURPOSE = "employer service"  # what the audit row says
_EMPLOYER = re.compile(r"emp_[0-9a-f]{32}", re.ASCII)


def employer_id(visit: Visit) -> str:
    """The employer of the address; empty where it cannot be one."""
    given: str = visit.request.path_params["employer_id"]
    return given if _EMPLOYER.fullmatch(given) else ""


async def employer_of(visit: Visit) -> Any:
    """The employer of the address; raises ApiProblem."""
    return (await visit.get(f"/v1/employers/{employer_id(visit)}"))["employer"]
