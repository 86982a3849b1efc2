"""Bearer tokens of the identity provider: who somebody claims to be, proven.

Keys are fetched in the background; a verified token is remembered by its hash until it expires, so that a busy caller
costs one signature check per token (90 µs) and not one per call (1 µs). Whatever is wrong with a token, the answer is
the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry
from joserfc.jws import extract_compact

from chassis.logs import get_logger
from kernel.errors import Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]

log = get_logger(__name__)

AUDIENCE = "hrss-gateway"
ALGORITHMS = ["ES256", "RS256", "EdDSA"]  # public keys only: nobody signs with what we publish
TOKEN_MAX = 8192  # characters
REFRESH_SECONDS = 300.0  # a key that the provider retires is trusted at most so much longer
UNKNOWN_KEY_SECONDS = 5.0  # a token with a new key id makes us look again, but not more often than this
_REMEMBERED_MAX = 20_000  # tokens; about 10 MB
LIFE_MAX_SECONDS = 3600  # a token that claims to live longer is no access token of ours
_SKEW_SECONDS = 5
_FAILED_RETRY_SECONDS = 2.0

_SUBJECT = re.compile(r"[A-Za-z0-9._:@-]{1,128}", re.ASCII)
_SCOPE = re.compile(r"[a-z0-9._*-]{1,64}", re.ASCII)
_ROLES: Mapping[str, frozenset[str]] = {
    "person": frozenset({"CITIZEN"}),
    "staff": frozenset({"CLERK", "SUPERVISOR", "AUDITOR", "OPERATOR"}),
    "partner": frozenset({"PARTNER"}),
}
_ISSUER_KEY = "idp"  # how subjects of this provider are told from those of another that may come


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says."""

    subject: str
    client: str
    kind: str
    roles: frozenset[str]
    scopes: frozenset[str]
    acr: int
    simulated: bool
    expires: float
    natural_person: str = ""  # of staff: the pseudonym of the human, in the form of a subject


class KeySet:
    """The provider's public keys, by key id."""

    def __init__(self, fetch: FetchKeys) -> None:
        self.retired = 0  # how often a key disappeared
        self._fetch = fetch
        self._keys: dict[str, Any] = {}
        self._asked = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether any key is known."""
        return bool(self._keys)

    async def find(self, key_id: str) -> Any:
        """The key of that id, or None. Looks again when it is new, at most every few seconds.

        Raises:
            Unavailable: IDENTITY_PROVIDER_UNAVAILABLE when no keys were ever fetched.
        """
        if key_id not in self._keys:
            pause = UNKNOWN_KEY_SECONDS if self._keys else _FAILED_RETRY_SECONDS
            if self._asking is not None or time.monotonic() - self._asked >= pause:
                await self.refresh()
            if not self._keys:
                raise Unavailable(
                    "IDENTITY_PROVIDER_UNAVAILABLE", "the identity provider's keys are not known", retry_after=2
                )
        return self._keys.get(key_id)

    async def refresh(self) -> None:
        """Fetch the keys; many who ask at once cause one request. A failure leaves the old keys."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._load(), name="identity provider keys")
        await asyncio.shield(self._asking)

    async def keep_fresh(self) -> None:
        """Fetch for ever."""
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH_SECONDS if self._keys else _FAILED_RETRY_SECONDS)

    async def _load(self) -> None:
        self._asked = time.monotonic()
        try:
            found = await self._fetch()
            keys = {
                str(one["kid"]): JWKRegistry.import_key(one)
                for one in found["keys"]
                if one.get("kty") in {"EC", "RSA", "OKP"} and one.get("use", "sig") == "sig" and "kid" in one
            }
        except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
            log.warning("identity_provider_keys_not_read", error=type(error).__name__)
        else:
            self.retired += not self._keys.keys() <= keys.keys()
            self._keys = keys
        finally:
            self._asking = None


class Tokens:
    """Verifies bearer tokens.

    Args:
        issuer: The one issuer that is believed.
        keys: Its keys.
        is_prod: Refuse tokens that say they come from a development provider.
    """

    def __init__(self, issuer: str, keys: KeySet, *, is_prod: bool) -> None:
        self._issuer = issuer
        self._keys = keys
        self._is_prod = is_prod
        self._remembered: dict[bytes, Claims] = {}
        self._retired = keys.retired

    async def verify(self, token: str) -> Claims:
        """The claims of a token.

        Raises:
            Unauthenticated: TOKEN_INVALID, without a word about what is wrong.
            Unavailable: IDENTITY_PROVIDER_UNAVAILABLE.
        """
        if not 0 < len(token) <= TOKEN_MAX or not token.isascii():
            raise refused()
        digest = hashlib.sha256(token.encode()).digest()
        if self._retired != self._keys.retired:  # what a withdrawn key signed is good no longer
            self._retired = self._keys.retired
            self._remembered.clear()
        known = self._remembered.get(digest)
        if known is not None:
            if known.expires > time.time():
                return known
            del self._remembered[digest]
            raise refused()
        claims = self._read(await self._decode(token))
        if len(self._remembered) >= _REMEMBERED_MAX:
            self._forget()
        self._remembered[digest] = claims
        return claims

    async def _decode(self, token: str) -> dict[str, Any]:
        try:
            header = extract_compact(token.encode()).headers()
            if header.get("alg") not in ALGORITHMS or header.get("typ") not in {"at+jwt", "application/at+jwt"}:
                raise refused()
            key = await self._keys.find(str(header.get("kid", "")))
            if key is None:
                raise refused()
            return jwt.decode(token, key, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            raise refused() from None

    def _read(self, claims: Mapping[str, Any]) -> Claims:
        now = time.time()
        expires, begins, issued = claims.get("exp"), claims.get("nbf", 0), claims.get("iat", 0)
        if not (_is_number(expires) and _is_number(begins) and _is_number(issued)):
            raise refused()
        audience = claims.get("aud")
        kind = claims.get("kind")
        subject, client = claims.get("sub"), claims.get("client_id")
        is_good = (
            claims.get("iss") == self._issuer
            and (audience == AUDIENCE or (isinstance(audience, list) and AUDIENCE in audience))
            and now < expires <= issued + LIFE_MAX_SECONDS
            and max(begins, issued) <= now + _SKEW_SECONDS
            and isinstance(kind, str)
            and kind in _ROLES
            and isinstance(subject, str)
            and _SUBJECT.fullmatch(subject) is not None
            and isinstance(client, str)
            and _SUBJECT.fullmatch(client) is not None
            and not (self._is_prod and claims.get("env", "prod") != "prod")
        )
        if not is_good:
            raise refused()
        assert isinstance(kind, str)
        return Claims(
            subject=f"{_ISSUER_KEY}|{subject}",
            client=str(client),
            kind=kind,
            roles=_roles(kind, claims.get("roles")),
            scopes=_scopes(claims.get("scope")),
            acr={"1": 1, "2": 2, "3": 3, "4": 4}.get(str(claims.get("acr", "")), 0),
            simulated=claims.get("env") == "dev",
            expires=float(expires),
            natural_person=_natural_person(kind, claims.get("natural_person")),
        )

    def _forget(self) -> None:
        """Drop what has expired; when that is little, the oldest half."""
        now = time.time()
        kept = {digest: claims for digest, claims in self._remembered.items() if claims.expires > now}
        if len(kept) > _REMEMBERED_MAX // 2:
            kept = dict(list(kept.items())[_REMEMBERED_MAX // 2 :])
        self._remembered = kept


def refused() -> Unauthenticated:
    """The one answer to every bad token."""
    return Unauthenticated("TOKEN_INVALID", "the bearer token is not valid")


def _roles(kind: str, named: object) -> frozenset[str]:
    """A citizen is always one; staff and partners have the roles that the token names and their kind allows."""
    if kind == "person":
        return _ROLES[kind]
    given = frozenset(one for one in named if isinstance(one, str)) if isinstance(named, list) else frozenset()
    roles = given & _ROLES[kind]
    if not roles:
        raise refused()
    return roles


def _natural_person(kind: str, given: object) -> str:
    """Whose login of staff it is. A token that does not say stays good for what needs no second pair of eyes."""
    if kind != "staff" or given is None:
        return ""
    if not isinstance(given, str) or _SUBJECT.fullmatch(given) is None:
        raise refused()
    return f"{_ISSUER_KEY}|{given}"


def _scopes(text: object) -> frozenset[str]:
    if not isinstance(text, str):
        return frozenset()
    return frozenset(one for one in text.split() if _SCOPE.fullmatch(one) and one != "*")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
