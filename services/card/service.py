"""What the card service consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import clocks, transaction
from chassis.policy import open_policy
from chassis.principal import Principal
from chassis.service import Service
from services.card.events import CONSUMERS
from services.card.keyring import KeyRing
from services.card.operations import figures
from services.card.operations.office import Office
from services.card.policy import CardPolicy
from services.card.rpc import CardRpc

if TYPE_CHECKING:
    from chassis.config import Settings
    from chassis.database import Database


def build(settings: Settings) -> Service:
    """The declaration of what exists."""
    return Service(
        settings=settings,
        servicers=[CardRpc(open_office(settings))],
        consumers=CONSUMERS,
        figures=figures.count,
        on_start=[note_soft_keys] if settings.is_prod else [],
    )


def open_office(settings: Settings) -> Office:
    """The law and the keys that the settings name."""
    return Office(
        policy=CardPolicy(open_policy(settings.policy_dir, settings.policy_local)),
        keys=KeyRing.load(settings.keys_dir),
        is_production=settings.is_prod,
    )


async def note_soft_keys(database: Database) -> None:
    """Write down that production signs with keys in a file, which somebody allowed."""

    async def work(tx: transaction.Transaction) -> None:
        tx.audit("soft_keys_allowed")

    await transaction.run(
        database,
        work,
        principal=Principal.system("card"),
        today=clocks.business_day(),
        method="start",
    )
