"""What the story has learnt from the platform so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.client import Json
    from ops.demo.applications import Decided
    from ops.demo.expectation import Law
    from ops.demo.people import Cast, Employee


@dataclass
class Life:
    """What the story has learnt from the platform so far."""

    cast: Cast
    law: Law
    employer_id: str = ""
    enrollments: dict[str, Json] = field(default_factory=dict)  # of those at the counter, by identity number
    cards: dict[str, str] = field(default_factory=dict)  # ids of electronic cards, by identity number
    unemployment_id: str = ""
    pension_id: str = ""
    pension: Decided | None = None

    def person_id(self, employee: Employee) -> str:
        """Id of an employee who was enrolled at the counter."""
        return str(self.enrollment(employee)["person_id"])

    def enrollment(self, employee: Employee) -> Json:
        """Enrolment at the counter as answered."""
        return self.enrollments[employee.id_no]
