"""Places of status lists, leased by the block in transactions of their own.

A process that ends leaves the rest of its block as a gap, which is fine: a place is given out once or never.
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import TYPE_CHECKING

from chassis import clocks, transaction
from chassis.principal import Principal
from kernel.errors import Conflict
from services.card.status import Permutation
from services.card.store import bindings

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.transaction import Transaction
    from services.card.keyring import KeyRing

BLOCK = 500
_KEY_BYTES = 32


class Places:
    """The places that this process has leased and not given out."""

    def __init__(self, keys: KeyRing, block: int = BLOCK) -> None:
        self._keys = keys
        self._block = block
        self._free: deque[tuple[int, int]] = deque()
        self._permutations: dict[int, Permutation] = {}

    async def ready(self, database: Database) -> None:
        """Lease a block when there is no place left; called before the transaction that needs one."""
        if not self._free:
            self._free.extend(await self.lease(database, self._block))

    async def lease(self, database: Database, count: int) -> list[tuple[int, int]]:
        """Lease places at once, as a batch does: list and place of each, at most as many as were asked for."""
        leased = await transaction.run(
            database,
            lambda tx: self._lease(tx, count),
            principal=Principal.system("card"),
            today=clocks.business_day(),
            method="lease",
        )
        return [(leased.list_no, place) for place in self._places(leased)]

    async def several(self, database: Database, count: int) -> list[tuple[int, int]]:
        """Lease so many places; a list that is nearly full gives fewer, and the next one the rest."""
        places: list[tuple[int, int]] = []
        while len(places) < count:
            places += await self.lease(database, count - len(places))
        return places

    def take(self) -> tuple[int, int]:
        """A place that nobody had.

        Raises:
            Conflict: PLACES_LEASED: others took the last one meanwhile; the caller comes again.
        """
        if not self._free:
            raise Conflict("PLACES_LEASED", "others took the last leased place", retry_after=1)
        return self._free.popleft()

    async def _lease(self, tx: Transaction, count: int) -> bindings.Lease:
        return await bindings.lease(tx, count, self._new_key)

    def _new_key(self, list_no: int) -> bytes:
        return self._keys.wrap(secrets.token_bytes(_KEY_BYTES), f"status_list|{list_no}")

    def _places(self, leased: bindings.Lease) -> list[int]:
        permutation = self._permutations.get(leased.list_no)
        if permutation is None:
            key = self._keys.unwrap(leased.key_wrapped, f"status_list|{leased.list_no}")
            permutation = self._permutations[leased.list_no] = Permutation(key)
        return permutation.places(leased.first, leased.count)
