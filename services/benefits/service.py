"""What the benefits service consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.policy import policy_of
from chassis.service import Service
from services.benefits.events import CONSUMERS
from services.benefits.operations import adjusting_annual, adjusting_recompute, payrolls
from services.benefits.policy import BenefitsPolicy
from services.benefits.rpc import BenefitsRpc
from services.benefits.rpc_adjusting import AdjustingRpc

if TYPE_CHECKING:
    from chassis.config import Settings


def build(settings: Settings) -> Service:
    """The declaration of what exists."""
    policy = policy_of_benefits(settings)
    return Service(
        settings=settings,
        servicers=[
            BenefitsRpc(policy),
            AdjustingRpc(policy),
        ],
        consumers=CONSUMERS,
        jobs=[
            payrolls.job(policy),
            *adjusting_annual.job_kinds(),
            *adjusting_recompute.job_kinds(policy),
        ],
    )


def policy_of_benefits(settings: Settings) -> BenefitsPolicy:
    """The law that the settings name, as benefits read it."""
    return BenefitsPolicy(policy_of(settings))
