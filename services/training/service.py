"""What the training service consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.policy import open_policy
from chassis.service import Service
from services.training.events import CONSUMERS
from services.training.operations import figures
from services.training.policy import TrainingPolicy
from services.training.rpc import TrainingRpc

if TYPE_CHECKING:
    from chassis.config import Settings


def build(settings: Settings) -> Service:
    """The declaration of what exists."""
    policy = TrainingPolicy(open_policy(settings.policy_dir, settings.policy_local))
    return Service(settings=settings, servicers=[TrainingRpc(policy)], consumers=CONSUMERS, figures=figures.count)
