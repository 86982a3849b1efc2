"""An identity provider of the tests: makes tokens with its own key and knows the persons it is told of."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.jwk import ECKey

if TYPE_CHECKING:
    from collections.abc import Mapping

ISSUER = "http://127.0.0.1:8081"


class Provider:
    """Implements what the gateway asks of a provider, and signs tokens for tests."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, private=True, auto_kid=True)
        self.identities: dict[str, tuple[str, str]] = {}
        self.asked: list[str] = []
        self.keys_asked = 0
        self.failure: Exception | None = None

    async def keys(self) -> Mapping[str, Any]:
        """Its public key set."""
        self.keys_asked += 1
        if self.failure is not None:
            raise self.failure
        return {"keys": [self.key.as_dict(private=False)]}

    async def identity(self, token: str, subject: str) -> tuple[str, str]:
        """Name and identity number behind a token."""
        self.asked.append(token)
        if self.failure is not None:
            raise self.failure
        assert jwt.decode(token, self.key).claims["sub"] == subject
        return self.identities.get(subject, ("张三", "990000199003151234"))

    def token(self, *, header: Mapping[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
        """A token; `changes` replace claims, None takes one away."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": "hrss-gateway",
            "sub": "staff-clerk-1",
            "client_id": "hrss-portal",
            "kind": "staff",
            "roles": ["CLERK"],
            "acr": "4",
            "scope": "openid",
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "env": "dev",
        }
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        head = {"alg": "ES256", "typ": "at+jwt", "kid": self.key.kid, **(header or {})}
        return jwt.encode(head, claims, key or self.key)

    def staff(self, role: str = "CLERK", **changes: Any) -> str:
        """A token of a member of staff."""
        given: dict[str, Any] = {
            "sub": f"staff-{role.lower()}-1",
            "roles": [role],
            "natural_person": f"p-{role.lower()}",
        }
        return self.token(**(given | changes))

    def citizen(self, subject: str = "p-0123456789abcdef01234567", acr: int = 2, **changes: Any) -> str:
        """A token of a citizen."""
        given = {"sub": subject, "kind": "person", "roles": None, "acr": str(acr), "scope": "openid identity"}
        return self.token(**(given | changes))

    def partner(self, *scopes: str, client: str = "front-office", **changes: Any) -> str:
        """A token of a partner system."""
        given = {"sub": client, "client_id": client, "kind": "partner", "roles": ["PARTNER"], "acr": None}
        return self.token(**(given | {"scope": " ".join(scopes)} | changes))
