"""What the tests of benefits ask for: a fresh database, the law, and enrollment as they play it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chassis.policy import open_policy
from services.benefits.policy import BenefitsPolicy
from tests.benefits.builders import Benefits, Enrollment

if TYPE_CHECKING:
    from chassis.database import Database
    from tests.plugins.databases import NewDatabase

POLICY_DIR = Path(__file__).parents[2] / "policy"
POLICY_LOCAL = POLICY_DIR / "local" / "demo.yaml"


@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    """A fresh database of benefits."""
    return await new_database("benefits", policy_dir=POLICY_DIR, policy_local=POLICY_LOCAL)


@pytest.fixture(scope="session")
def policy() -> BenefitsPolicy:
    """The law with the values of the demonstration's bureau."""
    return BenefitsPolicy(open_policy(POLICY_DIR, POLICY_LOCAL))


@pytest.fixture
def enrollment(database: Database) -> Enrollment:
    """Enrollment, as far as benefits hears it."""
    return Enrollment(database)


@pytest.fixture
def benefits(database: Database, policy: BenefitsPolicy) -> Benefits:
    """The operations of benefits, called as counter staff would."""
    return Benefits(database, policy)
