"""Access and identity tokens: ES256, ten minutes, marked as development, without a name or an identity number."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.jwt import JWTClaimsRegistry

if TYPE_CHECKING:
    from ops.idp.clients import Client
    from ops.idp.personas import Persona
    from ops.secrets import Keys

AUDIENCE = "hrss-gateway"
LIFE_SECONDS = 600  # a stolen token is soon worthless; clients refresh
ALGORITHM = "ES256"


class TokenInvalid(Exception):  # noqa: N818 - read as a sentence
    """Not a token of ours, or no longer one."""


class Issuer:
    """Signs tokens with the key made at the first start, and recognises them again."""

    def __init__(self, url: str, keys: Keys) -> None:
        self.url = url
        self._key = ECKey.import_key(json.loads(keys.secret("idp-signing.jwk", _new_key)))

    def jwks(self) -> dict[str, Any]:
        """The public key set."""
        return {"keys": [self._key.as_dict(private=False)]}

    def access_token(self, *, client: Client, persona: Persona | None, acr: int, scope: str) -> str:
        """A token for a persona, or for the client itself when there is none."""
        claims: dict[str, Any] = {"aud": AUDIENCE, "client_id": client.id, "scope": scope}
        if persona is None:
            claims |= {"sub": client.id, "kind": "partner", "roles": ["PARTNER"]}
        elif persona.kind == "staff":
            claims |= {"sub": persona.sub, "kind": "staff", "roles": list(persona.roles), "acr": str(acr)}
            claims |= {"natural_person": persona.natural_person}
        else:
            claims |= {"sub": persona.sub, "kind": "person", "acr": str(acr)}
        return self._sign("at+jwt", claims)

    def id_token(self, *, client: Client, persona: Persona, acr: int, nonce: str) -> str:
        """The OpenID Connect identity token: says that somebody logged in, not what their name is."""
        claims = {"aud": client.id, "sub": persona.sub, "acr": str(acr), "auth_time": int(time.time())}
        return self._sign("JWT", claims | ({"nonce": nonce} if nonce else {}))

    def read(self, token: str) -> dict[str, Any]:
        """The claims of an access token.

        Raises:
            TokenInvalid: Forged, expired, of another kind or issuer.
        """
        try:
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            JWTClaimsRegistry(
                iss={"essential": True, "value": self.url}, aud={"essential": True, "value": AUDIENCE}
            ).validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise TokenInvalid from error
        if decoded.header.get("typ") != "at+jwt":
            raise TokenInvalid
        return decoded.claims

    def _sign(self, kind: str, claims: dict[str, Any]) -> str:
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + LIFE_SECONDS, "jti": secrets.token_urlsafe(16)}
        header = {"alg": ALGORITHM, "typ": kind, "kid": self._key.kid}
        return jwt.encode(header, {"iss": self.url, **claims, **times, "env": "dev"}, self._key)


def _new_key() -> bytes:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, private=True, auto_kid=True)
    return json.dumps(key.as_dict(private=True)).encode()
