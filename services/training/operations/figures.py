"""What training counts for the plan's indicators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.training.store import certificates, claims

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chassis.operations import Period
    from chassis.transaction import Transaction


async def count(tx: Transaction, period: Period) -> Mapping[str, int]:
    """Certificates issued (取得证书人次) and skills subsidies paid (补贴人次) in the period.

    Both are a part of what the plan counts: certificates that issuers recorded here, and of subsidised training only
    the subsidy that follows a certificate.
    """
    return {
        "skill_certificates": await certificates.issued(tx, period.first, period.last),
        "subsidised_training": await claims.subsidised(tx, period.first, period.last),
    }
