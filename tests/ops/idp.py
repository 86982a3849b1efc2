"""Builders for tests of the development identity provider: a provider, and a client that speaks to it in process."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import httpx
from httpx import USE_CLIENT_DEFAULT

from ops.idp.app import create_app
from ops.idp.clients import client_secret
from ops.secrets import Keys

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://127.0.0.1:8081"
VERIFIER = "v" * 64
CALLBACK = "http://127.0.0.1:9999/callback"
NUMBER = "990000196603010011"
NAME = "㼆䶮"


class Idp:
    """A provider below `home` and the calls that tests make."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.keys = Keys(home / "keys")
        self.personas_file = home / "idp" / "personas.sealed"
        self._transport = httpx.ASGITransport(create_app(URL, self.keys, self.personas_file))

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        """A GET request."""
        async with httpx.AsyncClient(transport=self._transport, base_url=URL) as client:
            return await client.get(path, **parameters)

    async def post(self, path: str, client_id: str = "", **parameters: Any) -> httpx.Response:
        """A POST request, authenticated as a client when one is named."""
        auth = httpx.BasicAuth(client_id, client_secret(self.keys, client_id)) if client_id else USE_CLIENT_DEFAULT
        async with httpx.AsyncClient(transport=self._transport, base_url=URL) as client:
            return await client.post(path, auth=auth, **parameters)

    async def register(self, name: str = NAME, number: str = NUMBER) -> str:
        """Register a citizen; returns the subject."""
        answer = await self.post("/dev/personas", "hrss-demo", json={"name": name, "id_number": number})
        return str(answer.json()["sub"])

    async def token(self, persona: str, acr: int | None = None) -> str:
        """An access token for a persona."""
        answer = await self.post("/dev/token", json={"persona": persona, **({"acr": acr} if acr else {})})
        return str(answer.json()["access_token"])


def authorization(**changes: str) -> dict[str, str]:
    """A valid authorization request of the portal."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    return {
        "response_type": "code",
        "client_id": "hrss-portal",
        "redirect_uri": CALLBACK,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "state": "s-1",
        "nonce": "n-1",
        **changes,
    }
