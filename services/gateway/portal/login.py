"""The login of a browser: OpenID Connect with the code flow and PKCE, as the public client `hrss-portal`.

What has to be remembered between leaving for the provider and coming back (state, verifier, where to go on) travels in
a cookie that is sealed for this gateway and lives ten minutes; nothing is stored for logins that are never finished.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import orjson

from chassis.logs import get_logger
from chassis.sealed import SealBroken, Sealer
from services.gateway.edge.identity import reached_at

if TYPE_CHECKING:
    from collections.abc import Mapping

log = get_logger(__name__)

CLIENT_ID = "hrss-portal"
SCOPE = "openid identity"
DEPARTURE_SECONDS = 600  # time for a face check and a cup of tea
ACR_MIN, ACR_MAX = 1, 4
_PLACE = ("portal_login", "departure", "cookie")  # a sealed cookie opens as nothing else


class LoginFailed(Exception):  # noqa: N818 - it says what happened
    """The login did not come about; `reason` is a key of the texts `login.*`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider's token endpoint gave."""

    token: str
    refresh_token: str
    end: float


class Provider:
    """The identity provider, as a browser's login needs it.

    Args:
        issuer: What the provider calls itself, and where the browser reaches it.
        sealer: Seals the cookie of a departure.
        url: Where the gateway reaches the provider when that is not the issuer, as between containers.
    """

    def __init__(self, issuer: str, sealer: Sealer, *, url: str = "") -> None:
        self._issuer = issuer
        self._url = (url or issuer).rstrip("/")
        self._sealer = sealer
        self._http = httpx.AsyncClient(timeout=5.0, trust_env=False)
        self._found: Mapping[str, str] = {}

    async def depart(self, *, home: str, next_path: str, acr: int) -> tuple[str, str]:
        """Where to send the browser, and the cookie that it brings back.

        Args:
            home: Address of the gateway as the browser knows it, "https://host".
            next_path: Where to go on after the login.
            acr: The least assurance level that is needed; 0 asks for none.

        Raises:
            LoginFailed: The provider does not answer.
        """
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": f"{home}/login/callback",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": state,
            "scope": SCOPE,
        }
        if acr:
            asked["acr_values"] = str(acr)
        departure = {
            "state": state,
            "verifier": verifier,
            "next": next_path,
            "home": home,
            "acr": acr,
            "end": time.time() + DEPARTURE_SECONDS,
        }
        cookie = base64.urlsafe_b64encode(self._sealer.seal(*_PLACE, orjson.dumps(departure))).decode()
        return f"{(await self._endpoints())['authorization_endpoint']}?{urlencode(asked)}", cookie

    async def arrive(self, cookie: str, query: Mapping[str, str]) -> tuple[Tokens, str, int]:
        """The tokens for the code that a browser came back with, where it wants to go on, and the level it needed.

        Raises:
            LoginFailed: The browser did not leave from here, the provider refused, or it does not answer.
        """
        departure = self._departure(cookie)
        if (
            not hmac.compare_digest(departure["state"], query.get("state", ""))
            or query.get("iss", self._issuer) != self._issuer
        ):
            raise LoginFailed("not_from_here")
        if "code" not in query:
            raise LoginFailed("refused")
        tokens = await self._tokens(
            {
                "grant_type": "authorization_code",
                "code": query["code"],
                "redirect_uri": f"{departure['home']}/login/callback",
                "client_id": CLIENT_ID,
                "code_verifier": departure["verifier"],
            }
        )
        return tokens, departure["next"], int(departure["acr"])

    async def refresh(self, refresh_token: str) -> Tokens:
        """Fresh tokens.

        Raises:
            LoginFailed: The provider wants a new login, or does not answer.
        """
        return await self._tokens(
            {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": CLIENT_ID}
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    def _departure(self, cookie: str) -> Any:
        try:
            found = orjson.loads(self._sealer.open(*_PLACE, base64.urlsafe_b64decode(cookie.encode())))
        except (SealBroken, ValueError):
            raise LoginFailed("not_from_here") from None
        if found["end"] < time.time():
            raise LoginFailed("too_late")
        return found

    async def _tokens(self, form: Mapping[str, str]) -> Tokens:
        asked = time.time()
        answer = await self._ask("POST", (await self._endpoints())["token_endpoint"], data=form)
        if not answer.is_success:
            raise LoginFailed("refused" if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR else "provider_away")
        found = answer.json()
        return Tokens(found["access_token"], found.get("refresh_token", ""), asked + float(found.get("expires_in", 0)))

    async def _endpoints(self) -> Mapping[str, str]:
        if not self._found:
            answer = await self._ask("GET", f"{self._url}/.well-known/openid-configuration")
            found = answer.json() if answer.is_success else {}
            if found.get("issuer") != self._issuer:
                raise LoginFailed("provider_away")
            self._found = {
                "authorization_endpoint": str(found["authorization_endpoint"]),  # the browser goes there
                "token_endpoint": reached_at(str(found["token_endpoint"]), self._issuer, self._url),
            }
        return self._found

    async def _ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        try:
            return await self._http.request(method, url, **given)
        except httpx.HTTPError as error:
            log.warning("login_provider_away", error=type(error).__name__)
            raise LoginFailed("provider_away") from None
