"""Answers that are not JSON: a signed list as the bytes that its standard names, chosen by the caller's Accept.

An RPC says in its http option which text field of its reply is also served by itself, under which media type and for
how long. Who asks for nothing of that gets JSON as everywhere. Such an answer is public and the same for everybody, so
caches may keep it as long as the option says.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from services.gateway.edge.exchange import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.message import Message

    from services.gateway.edge.contract import Media

JSON = "application/json"
ACCEPT_MAX = 2048
GZIP_BYTES_MIN = 512  # below that the head of a gzip file eats the gain
_KEPT = 16  # compressed lists that are kept in memory; a city has four


def chosen(forms: Sequence[Media], accept: str) -> Media | None:
    """The form that Accept prefers; None for JSON, also when it names nothing that we have."""
    if not accept or len(accept) > ACCEPT_MAX:
        return None
    kinds: dict[str, Media | None] = {JSON: None, **{one.kind: one for one in forms}}
    best, best_weight = JSON, _weight_of_json(accept)
    for kind, weight in _weights(accept):
        if kind in kinds and weight > best_weight:
            best, best_weight = kind, weight
    return kinds[best]


def answer(  # noqa: PLR0917 - what was asked, and what there is
    form: Media,
    reply: Message,
    status: int,
    seconds: int,
    accept_encoding: str,
    is_known: Callable[[bytes], bool],
) -> Answer:
    """The answer in this form.

    Args:
        form: Which.
        reply: Holds its field.
        status: Of a good answer.
        seconds: How long caches may keep it.
        accept_encoding: The caller's header.
        is_known: Whether the caller has this ETag already.
    """
    text: str = getattr(reply, form.field)
    body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if form.is_base64 else text.encode()
    is_packed = form.is_compressible and len(body) >= GZIP_BYTES_MIN and _takes_gzip(accept_encoding)
    digest = hashlib.blake2b(body, digest_size=16).hexdigest()
    etag = f'"{digest}{"-gzip" if is_packed else ""}"'.encode()
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", form.kind.encode()),
        (b"etag", etag),
        (b"cache-control", b"public, max-age=%d" % seconds),
        (b"vary", b"Accept, Accept-Encoding"),
    ]
    if is_known(etag):
        return Answer(304, b"", headers[1:])
    if is_packed:
        headers.append((b"content-encoding", b"gzip"))
        body = _packed(body)
    return Answer(status, body, headers)


def _weights(header: str) -> list[tuple[str, float]]:
    """What a header like Accept names, with the weight of each; what cannot be read counts as not named."""
    found = []
    for part in header.split(","):
        name, *parameters = (one.strip().lower() for one in part.split(";"))
        weight = 1.0
        for one in parameters:
            key, _, value = one.partition("=")
            if key.strip() == "q":
                weight = _number(value.strip())
        found.append((name, weight))
    return found


def _weight_of_json(accept: str) -> float:
    named = dict(_weights(accept))
    return next((named[one] for one in (JSON, "application/*", "*/*") if one in named), 0.0)


def _takes_gzip(header: str) -> bool:
    named = dict(_weights(header))
    return len(header) <= ACCEPT_MAX and named.get("gzip", named.get("*", 0.0)) > 0


def _number(text: str) -> float:
    whole, _, rest = text.partition(".")
    if whole not in {"0", "1"} or not (rest.isascii() and (rest.isdigit() or not rest)) or len(rest) > 3:  # noqa: PLR2004 - RFC 9110
        return 0.0
    return min(1.0, float(text))


@lru_cache(maxsize=_KEPT)
def _packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)
