"""What the tests of training ask for: a fresh database, the law, and the neighbours as they play them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chassis.policy import open_policy
from services.training.policy import TrainingPolicy
from tests.training.builders import Neighbours, Training

if TYPE_CHECKING:
    from chassis.database import Database
    from tests.plugins.databases import NewDatabase

POLICY_DIR = Path(__file__).parents[2] / "policy"


@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    """A fresh database of training."""
    return await new_database("training", policy_dir=POLICY_DIR)


@pytest.fixture(scope="session")
def policy() -> TrainingPolicy:
    """The law as it is published."""
    return TrainingPolicy(open_policy(POLICY_DIR))


@pytest.fixture
def neighbours(database: Database) -> Neighbours:
    """Enrollment and benefits, as far as training hears them."""
    return Neighbours(database)


@pytest.fixture
def training(database: Database, policy: TrainingPolicy) -> Training:
    """The operations of training, called as citizens, staff and partners would."""
    return Training(database, policy)
