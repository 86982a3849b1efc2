"""Simulated body that assesses skills (技能评价机构仿真): records the certificates that it gave out.

Certificates of the real bodies come from the national query system. The number is made from the one who plays, so that
a repetition records nothing new.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.client import key_of

if TYPE_CHECKING:
    from datetime import date

    from ops.client import Gateway, Json

ISSUER_TYPE = "ISSUER_TYPE_ASSESSMENT_BODY"


def number_of(*parts: object) -> str:
    """A number of a certificate in the form of this body: S and 21 digits."""
    return f"S{int(key_of('certificate', *parts), 16) % 10**21:021d}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as it was printed."""

    number: str = field(repr=False)
    occupation: str
    level: int
    issue_date: date


async def record(gateway: Gateway, person_id: str, certificate: Certificate) -> Json:
    """Record a certificate; the same one always goes under the same key."""
    return await gateway.post(
        "/v1/certificates",
        {
            "person_id": person_id,
            "issuer_type": ISSUER_TYPE,
            "number": certificate.number,
            "occupation": certificate.occupation,
            "level": certificate.level,
            "issue_date": certificate.issue_date.isoformat(),
        },
        key=key_of("certificate", certificate.number),
    )
