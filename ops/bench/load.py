"""HTTP load: a few kept connections that send prepared requests as fast as the answers come.

Written on a bare protocol, because on a small machine the one who measures takes its share of the processor too.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH = b"content-length: "


@dataclass
class Outcome:
    """What a round of load came to."""

    seconds: float
    latencies: list[float]
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in seconds that this share of the answers kept."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class _Connection(asyncio.Protocol):
    """One request at a time; the next is sent when the answer is whole."""

    def __init__(self, round_: _Round) -> None:
        self._round = round_
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        self._round.note(int(head[9:12]), time.perf_counter() - self._sent, rest[:length])
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._round.gone()

    def _next(self) -> None:
        assert self._transport is not None
        request = self._round.take()
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


class _Round:
    def __init__(self, request: Callable[[int], bytes], count: int, connections: int) -> None:
        self._request = request
        self._left = count
        self._number = 0
        self._open = connections
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.failure = b""
        self.done = asyncio.Event()

    def take(self) -> bytes | None:
        if not self._left:
            return None
        self._left -= 1
        self._number += 1
        return self._request(self._number)

    def note(self, status: int, seconds: float, body: bytes) -> None:
        self.latencies.append(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status >= 400 and not self.failure:  # noqa: PLR2004 - the first class of refusals
            self.failure = body

    def gone(self) -> None:
        self._open -= 1
        if not self._open:
            self.done.set()


class Refused(RuntimeError):  # noqa: N818 - read as a sentence
    """Something else than success was answered: then a rate says nothing."""


async def send(port: int, request: Callable[[int], bytes], count: int, *, connections: int = 16) -> Outcome:
    """Send so many requests over so many connections.

    Args:
        port: Port on this machine.
        request: Makes the bytes of the n-th request.
        count: How many.
        connections: How many at once.

    Raises:
        Refused: An answer was not a success.
    """
    round_ = _Round(request, count, connections)
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(round_), "127.0.0.1", port)
    await round_.done.wait()
    outcome = Outcome(time.perf_counter() - begun, round_.latencies, round_.statuses)
    if round_.failure or len(outcome.latencies) != count:
        raise Refused(f"{outcome.statuses}: {round_.failure[:500]!r}")
    return outcome


def http(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request."""
    given = {"host": "localhost", **headers}
    if body:
        given |= {"content-type": "application/json", "content-length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    return "\r\n".join(lines).encode() + body
