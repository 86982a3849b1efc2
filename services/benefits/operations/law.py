"""The law as it was known (政策快照): kept before its first use, read back by its version."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from chassis import clocks, release, transaction
from chassis.policy import PolicyInvalid, PolicyStore
from chassis.policy_snapshot import SnapshotTampered, pack, unpack
from chassis.principal import Principal
from kernel.calendar import shanghai_day
from kernel.errors import Refused
from services.benefits.policy import BenefitsPolicy
from services.benefits.store import law as store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chassis.database import Database
    from chassis.transaction import Transaction


def keeper(policy: BenefitsPolicy) -> Callable[[Database], Awaitable[None]]:
    """What a service does at its start, before it is asked for anything: keep the law that it decides by."""

    async def keep_law(database: Database) -> None:
        await transaction.run(
            database,
            lambda tx: keep(tx, policy),
            principal=Principal.system("law"),
            today=shanghai_day(clocks.now()),
        )

    return keep_law


async def keep(tx: Transaction, policy: BenefitsPolicy) -> None:
    """Keep this law, once for each content."""
    if await store.content(tx, policy.version) is None:
        await store.keep(tx, policy.version, pack(policy.store.content), release.version())


async def as_known(tx: Transaction, version: str, today: BenefitsPolicy) -> BenefitsPolicy:
    """The law that had a version; the one of today is its own snapshot.

    Raises:
        Refused: LAW_SNAPSHOT_MISSING, LAW_SNAPSHOT_TAMPERED, LAW_SNAPSHOT_UNREADABLE.
    """
    kept = await store.content(tx, version)
    if kept is None:
        if version == today.version:
            return today
        raise Refused("LAW_SNAPSHOT_MISSING", "the law of this calculation was not kept", version=version)
    return _read(kept, version)


@lru_cache(maxsize=8)
def _read(kept: bytes, version: str) -> BenefitsPolicy:
    try:
        return BenefitsPolicy(PolicyStore.of_snapshot(unpack(kept, version)))
    except SnapshotTampered:
        raise Refused(
            "LAW_SNAPSHOT_TAMPERED", "what is kept as this law is not what its hash says", version=version
        ) from None
    except (PolicyInvalid, LookupError, ValueError, TypeError) as error:
        raise Refused(
            "LAW_SNAPSHOT_UNREADABLE", f"this release cannot read the law of then: {error}", version=version
        ) from error
