"""HTTP on the wire, by uvicorn and httptools, with the limits that they lack: how large and how slow a head may be.

A head that never ends would otherwise be collected in memory for ever, and a connection that says nothing would stay.
So would one whose request was answered before its body came: any byte of the body ends uvicorn's own keep-alive timer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

HEAD_MAX = 64 * 1024  # bytes; the edge answers 431 above 8 KiB, this is where it stops to listen
HEAD_SECONDS = 10.0  # from the connection or the first byte of a further request to the end of its head
REST_SECONDS = 10.0  # for the rest of a body that nobody reads any more, so that the client can read its answer


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose head is too large or too slow, or that linger after their answer."""

    _in_head = True
    _in_body = False
    _rest_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is left to wait for."""
        self._head_is_here()
        self._rest_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, then count what belongs to an unfinished head."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX:
                self.transport.close()
        elif not self._in_body and self.cycle is not None and self.cycle.response_complete:
            self._keep_alive()  # uvicorn ended its timer for bytes that began no request

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if not self._in_head:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is here; the edge looks at its size."""
        self._head_is_here()
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        self._in_body = False
        self._rest_is_here()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is out; what is still to come of the request nobody waits for."""
        super().on_response_complete()
        if self._in_body and self.cycle.response_complete and self._rest_timer is None:
            self._rest_timer = self.loop.call_later(REST_SECONDS, self._too_slow)

    def _keep_alive(self) -> None:
        if self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _rest_is_here(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

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
