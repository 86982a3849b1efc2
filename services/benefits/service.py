"""What the benefits service consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.archive import Archive
from chassis.files import Files
from chassis.policy import policy_of
from chassis.service import Service
from services.benefits import bank_file, timetable
from services.benefits.events import CONSUMERS
from services.benefits.operations import (
    adjusting_annual,
    adjusting_recompute,
    keeping_import,
    keeping_sweep,
    law,
    paying_bank,
    paying_books,
    paying_returns,
    payrolls,
    upkeep,
)
from services.benefits.policy import BenefitsPolicy
from services.benefits.rpc.adjusting import AdjustingRpc
from services.benefits.rpc.benefits import BenefitsRpc
from services.benefits.rpc.determinations import DeterminationsRpc
from services.benefits.rpc.keeping import KeepingRpc
from services.benefits.rpc.office import OfficeRpc
from services.benefits.rpc.paying import PayingRpc
from services.benefits.rpc.upkeep import UpkeepRpc
from services.benefits.settings import limits_of

if TYPE_CHECKING:
    from chassis.config import Settings


def build(settings: Settings) -> Service:
    """The declaration of what exists."""
    policy, limits = policy_of_benefits(settings), limits_of(settings)
    files = Files(settings.files_dir, settings.keys_dir)
    matched, returns = keeping_import.Matched(files), Archive(files, bank_file.open_returns)
    return Service(
        settings=settings,
        servicers=[
            BenefitsRpc(policy, limits),
            DeterminationsRpc(policy),
            KeepingRpc(policy, matched),
            PayingRpc(files, returns),
            AdjustingRpc(policy),
            OfficeRpc(),
            UpkeepRpc(policy),
        ],
        consumers=CONSUMERS,
        jobs=[
            payrolls.job(policy, limits),
            paying_bank.job_kind(files),
            paying_returns.job_kind(returns, limits),
            paying_books.job_kind(),
            keeping_import.job(matched, policy),
            keeping_sweep.job(policy),
            *adjusting_annual.job_kinds(),
            *adjusting_recompute.job_kinds(policy),
            *upkeep.job_kinds(policy),
        ],
        timetable=timetable.entries(policy),
        on_start=[law.keeper(policy)],
    )


def policy_of_benefits(settings: Settings) -> BenefitsPolicy:
    """The law that the settings name, as benefits read it."""
    return BenefitsPolicy(policy_of(settings))
