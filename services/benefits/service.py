"""What the benefits service consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.policy import policy_of
from chassis.service import Service
from services.benefits.events import CONSUMERS
from services.benefits.operations import payrolls
from services.benefits.policy import BenefitsPolicy
from services.benefits.rpc.benefits import BenefitsRpc

if TYPE_CHECKING:
    from chassis.config import Settings


def build(settings: Settings) -> Service:
    """The declaration of what exists."""
    policy = BenefitsPolicy(policy_of(settings))
    return Service(settings=settings, servicers=[BenefitsRpc(policy)], consumers=CONSUMERS, jobs=[payrolls.job(policy)])
