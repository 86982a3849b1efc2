"""Status lists: rebuilt from the bindings, signed, published within a minute of a change and every five minutes.

One process at a time publishes. What changed from one publication to the next is kept signed, so that a verifier need
not fetch a whole list again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernel.errors import NotFound
from services.card import cose, signing, status
from services.card.keyring import Purpose
from services.card.messages import facts
from services.card.operations import keys
from services.card.status import SIZE, TTL_SECONDS
from services.card.store import bindings
from services.card.store.bindings import Published

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chassis.transaction import Transaction
    from services.card.operations.office import Office

PUBLISHING = 0x7075626C  # one process at a time
CHANGES_CONTEXT = b"NT1/L"
CHANGES_MAX = 100  # signed changes in one answer; a verifier that lacks more fetches the list


async def publish(tx: Transaction, office: Office) -> list[int]:
    """Publish every list that changed or is five minutes old; their numbers. Nothing when another process is at it."""
    row = await tx.fetchrow("SELECT pg_try_advisory_xact_lock($1) AS is_mine", PUBLISHING)
    if row is None or not row["is_mine"]:
        return []
    await keys.refresh(tx, office.keys)
    now = int(tx.now.timestamp())
    return [number for number in await bindings.lists(tx) if await _publish(tx, number, now, office)]


async def _publish(tx: Transaction, list_no: int, now: int, office: Office) -> bool:
    places, statuses = await bindings.not_valid(tx, list_no)
    values = np.zeros(SIZE, np.uint8)
    values[places] = statuses
    packed = status.pack(values)
    last = await bindings.published(tx, list_no)
    before = _values(last)
    is_changed = last is None or not np.array_equal(before, values)
    if last is not None and not is_changed and now - last.iat < TTL_SECONDS:
        return False
    # Two publications within a second would have one time of issue, and a verifier keeps the greatest.
    iat = now if last is None else max(now, last.iat + 1)
    sequence = 1 if last is None else last.sequence + 1
    signed = status.sign(f"{office.status_uri}/{list_no}", packed, iat, office.keys)
    changed = np.flatnonzero(before != values)
    if last is not None:
        rows = [[int(place), int(values[place])] for place in changed]
        payload = cose.write([1, list_no, last.sequence, sequence, iat, rows])
        body = signing.write(office.keys, Purpose.STATUS, CHANGES_CONTEXT, payload)
        await bindings.add_delta(tx, list_no, sequence, iat, body)
    made = Published(list_no, iat, status.deflate(packed), signed.cwt, signed.jwt, sequence)
    await bindings.publish(tx, made)
    tx.emit(facts.list_published(list_no, sequence, iat, len(changed)))
    return True


def _values(last: Published | None) -> NDArray[np.uint8]:
    if last is None:
        return np.zeros(SIZE, np.uint8)
    packed = np.frombuffer(status.inflate(last.packed, SIZE * status.BITS // 8), np.uint8)
    return np.stack([packed >> shift & 3 for shift in (0, 2, 4, 6)], axis=1).reshape(-1).astype(np.uint8)


async def get(tx: Transaction, list_no: int) -> Published:
    """A list as it was published last.

    Raises:
        NotFound: STATUS_LIST_NOT_FOUND.
    """
    found = await bindings.published(tx, list_no)
    if found is None:
        raise NotFound("STATUS_LIST_NOT_FOUND", "no such list was published")
    return found


async def changes(tx: Transaction, list_no: int, after: int) -> tuple[list[bytes], int]:
    """The signed changes after a publication, in order, and the last publication; raises as `get`."""
    found = await get(tx, list_no)
    return await bindings.deltas(tx, list_no, after, CHANGES_MAX), found.sequence
