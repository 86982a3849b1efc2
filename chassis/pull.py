"""An open durable: messages are asked for in batches and handed over one by one as they arrive.

The library's own `fetch` waits for its whole time when a batch is not full, which would delay a single event by a
second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import nats.errors

from kernel.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg

BATCH = 100
SECONDS = 1.0  # a longer request would sleep through a reconnect
GRACE_SECONDS = 0.5  # after which a request without an end counts as lost


class Pull:
    """An open durable: asks for messages in batches and hands each over as it arrives."""

    def __init__(self, client: Client, stream: str, durable: str, take: Callable[[Msg], None]) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._take = take
        self._inbox = client.new_inbox()
        self._subscription: Any = None
        self._outstanding = 0
        self._asked = 0.0

    async def open(self) -> None:
        """Start to listen for what will be asked for."""
        self._subscription = await self._client.subscribe(self._inbox, cb=self._arrived)

    async def ask(self) -> None:
        """Ask for a batch, unless one is still on its way.

        Raises:
            Unavailable: BROKER_UNAVAILABLE.
        """
        now = asyncio.get_running_loop().time()
        if self._outstanding > 0 and now < self._asked + SECONDS + GRACE_SECONDS:
            return
        self._outstanding, self._asked = BATCH, now
        request = {"batch": BATCH, "expires": int(SECONDS * 1e9)}
        try:
            await self._client.publish(self._next, json.dumps(request).encode(), reply=self._inbox)
        except (nats.errors.Error, OSError):
            raise away() from None

    async def close(self) -> None:
        """Stop listening; what is still on its way comes again to somebody else."""
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._subscription.unsubscribe()

    async def _arrived(self, message: Msg) -> None:
        if not message.reply:  # a status of the server: the request is over (408, 404) or refused (409)
            self._outstanding = 0
            return
        self._outstanding -= 1
        self._take(message)


def away() -> Unavailable:
    """The refusal when the broker cannot be asked."""
    return Unavailable("BROKER_UNAVAILABLE", "the broker cannot be reached", retry_after=1.0)
