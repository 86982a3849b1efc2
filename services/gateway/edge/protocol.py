"""HTTP on the wire, by uvicorn and httptools, with the two limits that they lack: how large and how slow a head may be.

A head that never ends would otherwise be collected in memory for ever, and a connection that says nothing would stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

HEAD_MAX = 64 * 1024  # bytes; the edge answers 431 above 8 KiB, this is where it stops to listen
HEAD_SECONDS = 10.0  # from the connection or the first byte of a further request to the end of its head


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose head is too large or too slow."""

    _in_head = True
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is left to wait for."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, then count what belongs to an unfinished head."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX:
                self.transport.close()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if not self._in_head:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is here; the edge looks at its size."""
        self._head_is_here()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _head_is_here(self) -> None:
        self._in_head = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self.transport.close()
