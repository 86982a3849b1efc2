"""Settings of the benefits service, beside those of every service: the office's caution before money leaves.

No file of law names these limits; their defaults are *assumed* (docs/decisions/0201) and stand in the evidence of every
payroll.
"""

from __future__ import annotations

from pydantic import Field

from chassis.config import Settings
from services.benefits.paying import Limits

_DEFAULT = Limits()


class BenefitsSettings(Settings):
    """What the benefits service needs to know about its surroundings."""

    payroll_jump_percent: int = Field(
        default=_DEFAULT.jump_percent,
        ge=1,
        le=1000,
        description="An amount so many percent above that of the last paid month is held back.",
    )
    payroll_shared_warn: int = Field(
        default=_DEFAULT.shared_warn, ge=2, le=100, description="From so many persons on one account it is warned of."
    )
    payroll_shared_block: int = Field(
        default=_DEFAULT.shared_block,
        ge=2,
        le=100,
        description="From so many persons on an account they are held back.",
    )
    payment_tries: int = Field(
        default=_DEFAULT.tries, ge=1, le=100, description="So often a payment is sent before it is parked."
    )


def limits_of(settings: Settings) -> Limits:
    """The limits of a process; the defaults where it has settings of another kind."""
    if not isinstance(settings, BenefitsSettings):
        return Limits()
    return Limits(
        jump_percent=settings.payroll_jump_percent,
        shared_warn=settings.payroll_shared_warn,
        shared_block=settings.payroll_shared_block,
        tries=settings.payment_tries,
    )
