"""What stands between a login and a token: one-time codes and refresh tokens, in memory and bounded.

They are lost at a restart; the caller then logs in again, which costs nothing here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass

CODE_SECONDS = 60
REFRESH_SECONDS = 8 * 3600  # a working day
GRANTS_MAX = 50_000  # of each kind; the oldest is forgotten first


@dataclass(frozen=True, slots=True)
class Grant:
    """A login that was made: by whom, for which client, how assured."""

    client_id: str
    sub: str
    acr: int
    scope: str
    redirect_uri: str = ""
    challenge: str = ""
    nonce: str = ""


class Grants:
    """A store of grants under random names, each good once and for a time."""

    def __init__(self, seconds: float, *, maximum: int = GRANTS_MAX) -> None:
        self._seconds = seconds
        self._maximum = maximum
        self._held: OrderedDict[str, tuple[float, Grant]] = OrderedDict()

    def add(self, grant: Grant) -> str:
        """Keep a grant; returns the secret name under which it can be taken once."""
        while len(self._held) >= self._maximum:
            self._held.popitem(last=False)
        name = secrets.token_urlsafe(32)
        self._held[name] = (time.monotonic() + self._seconds, grant)
        return name

    def take(self, name: str) -> Grant | None:
        """The grant, once."""
        until, grant = self._held.pop(name, (0.0, None))
        return grant if until > time.monotonic() else None


def proves(challenge: str, verifier: str) -> bool:
    """PKCE with S256: whether the verifier is the one that the challenge was made of."""
    digest = hashlib.sha256(verifier.encode(errors="replace")).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return hmac.compare_digest(expected, challenge.encode(errors="replace"))
