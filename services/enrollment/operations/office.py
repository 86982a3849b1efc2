"""What every use case is given besides its transaction: the law, the exchange key, the uploads, and where it runs."""

from dataclasses import dataclass

from chassis.files import Files
from chassis.sealed import Sealer
from services.enrollment.policy import EnrollmentPolicy


@dataclass(frozen=True, slots=True)
class Office:
    """The surroundings of the use cases."""

    policy: EnrollmentPolicy
    exchange: Sealer  # seals identities for the card service
    files: Files
    is_production: bool
