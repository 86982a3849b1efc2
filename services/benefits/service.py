"""What the benefits service consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.archive import Archive
from chassis.files import Files
from chassis.policy import policy_of
from chassis.service import Service
from services.benefits import bank_file
from services.benefits.events import CONSUMERS
from services.benefits.operations import paying_bank, paying_books, paying_returns, payrolls
from services.benefits.paying_rpc import PayingRpc
from services.benefits.policy import BenefitsPolicy
from services.benefits.rpc import BenefitsRpc
from services.benefits.settings import limits_of

if TYPE_CHECKING:
    from chassis.config import Settings


def build(settings: Settings) -> Service:
    """The declaration of what exists."""
    policy, limits = BenefitsPolicy(policy_of(settings)), limits_of(settings)
    files = Files(settings.files_dir, settings.keys_dir)
    returns = Archive(files, bank_file.open_returns)
    return Service(
        settings=settings,
        servicers=[BenefitsRpc(policy, limits), PayingRpc(files, returns)],
        consumers=CONSUMERS,
        jobs=[
            payrolls.job(policy, limits),
            paying_bank.job_kind(files),
            paying_returns.job_kind(returns, limits),
            paying_books.job_kind(),
        ],
    )
