"""What the benefits service consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.files import Files
from chassis.policy import policy_of
from chassis.service import Service
from services.benefits.events import CONSUMERS
from services.benefits.keeping_rpc import KeepingRpc
from services.benefits.kinds_rpc import DeterminationsRpc
from services.benefits.operations import (
    adjusting_annual,
    adjusting_recompute,
    keeping_import,
    keeping_sweep,
    payrolls,
)
from services.benefits.policy import BenefitsPolicy
from services.benefits.rpc.benefits import BenefitsRpc
from services.benefits.rpc_adjusting import AdjustingRpc

if TYPE_CHECKING:
    from chassis.config import Settings


def build(settings: Settings) -> Service:
    """The declaration of what exists."""
    policy = BenefitsPolicy(policy_of(settings))
    matched = keeping_import.Matched(Files(settings.files_dir, settings.keys_dir))
    return Service(
        settings=settings,
        servicers=[
            BenefitsRpc(policy),
            DeterminationsRpc(policy),
            KeepingRpc(policy, matched),
            AdjustingRpc(policy),
        ],
        consumers=CONSUMERS,
        jobs=[
            payrolls.job(policy),
            keeping_import.job(matched, policy),
            keeping_sweep.job(policy),
            *adjusting_annual.job_kinds(),
            *adjusting_recompute.job_kinds(policy),
        ],
    )
