"""Bearer tokens: one good one, and every way in which one is bad."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from kernel.errors import Unauthenticated, Unavailable
from services.gateway.edge.identity import HttpIdentityProvider, reached_at
from services.gateway.edge.tokens import KeySet, Tokens
from tests.gateway.identity_provider import ISSUER, Provider

if TYPE_CHECKING:
    from pathlib import Path


def tokens(provider: Provider, *, is_prod: bool = False) -> Tokens:
    """A verifier that believes a provider."""
    return Tokens(ISSUER, KeySet(provider.keys), is_prod=is_prod)


async def refused(provider: Provider, token: str, **options: bool) -> None:
    """The token is refused, without a word about why."""
    with pytest.raises(Unauthenticated) as caught:
        await tokens(provider, **options).verify(token)
    assert (caught.value.reason, caught.value.message) == ("TOKEN_INVALID", "the bearer token is not valid")


async def test_a_good_token_says_who_calls() -> None:
    provider = Provider()

    claims = await tokens(provider).verify(provider.partner("bills.read", "receipts.write", client="tax-bureau"))

    assert (claims.subject, claims.client, claims.roles) == ("idp|tax-bureau", "tax-bureau", frozenset({"PARTNER"}))
    assert claims.scopes == {"bills.read", "receipts.write"}
    assert claims.simulated


async def test_a_token_is_checked_once_and_believed_until_it_ends() -> None:
    provider = Provider()
    verifier = tokens(provider)
    token = provider.staff()

    first = await verifier.verify(token)
    second = await verifier.verify(token)

    assert first is second
    assert provider.keys_asked == 1


async def test_a_remembered_token_ends_too() -> None:
    provider = Provider()
    verifier = tokens(provider)
    token = provider.token(exp=time.time() + 0.05)
    await verifier.verify(token)
    while time.time() < jwt.decode(token, provider.key).claims["exp"]:
        pass

    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


@dataclass(frozen=True)
class FromNow:
    """So many seconds from the moment of the test; tests are named alike in every process that collects them."""

    seconds: int


def at_once(changes: dict[str, Any]) -> dict[str, Any]:
    """The claims with every `FromNow` as the time that it means now."""
    return {
        name: int(time.time()) + value.seconds if isinstance(value, FromNow) else value
        for name, value in changes.items()
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": FromNow(-1)},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"nbf": FromNow(86400)},
        {"iat": FromNow(86400)},
        {"aud": "another"},
        {"aud": None},
        {"aud": ["x", "y"]},
        {"iss": "https://elsewhere"},
        {"iss": ISSUER + "/"},
        {"iss": None},
        {"kind": "system"},
        {"kind": None},
        {"kind": ["staff"]},
        {"roles": ["SYSTEM"]},
        {"roles": ["PARTNER"]},
        {"roles": []},
        {"roles": "CLERK"},
        {"roles": None},
        {"sub": None},
        {"sub": "a b"},
        {"sub": "a|b"},
        {"sub": "x" * 129},
        {"sub": 7},
        {"client_id": None},
        {"client_id": "a\nb"},
    ],
    ids=str,
)
async def test_a_claim_that_is_wrong_is_enough(changes: dict[str, Any]) -> None:
    provider = Provider()

    await refused(provider, provider.token(**at_once(changes)))


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": "id+jwt"}, {"kid": "another"}, {"kid": ""}], ids=str)
async def test_a_header_that_is_wrong_is_enough(header: dict[str, str]) -> None:
    provider = Provider()

    await refused(provider, provider.token(header=header))


async def test_a_key_of_somebody_else_signs_nothing() -> None:
    provider, stranger = Provider(), Provider()

    await refused(provider, stranger.token(header={"kid": provider.key.kid}))


async def test_no_signature_and_a_shared_secret_are_refused() -> None:
    provider = Provider()
    header, payload, _ = provider.staff().split(".")
    none = _part(json.dumps({"alg": "none", "typ": "at+jwt"}).encode())
    shared = _part(json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": provider.key.kid}).encode())
    # The public key as if it were a shared secret.
    mac = hmac.new(provider.key.as_pem(private=False), f"{shared}.{payload}".encode(), hashlib.sha256).digest()

    for token in (
        f"{none}.{payload}.",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{shared}.{payload}.{_part(mac)}",
    ):
        await refused(provider, token)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "ä.b.c", "x" * 8193, "e30.e30.e30", "e30..e30"])
async def test_what_is_no_token_is_refused(token: str) -> None:
    await refused(Provider(), token)


async def test_production_refuses_tokens_of_development() -> None:
    provider = Provider()

    await refused(provider, provider.staff(), is_prod=True)
    assert await tokens(provider, is_prod=True).verify(provider.token(env=None))


async def test_a_citizen_has_no_other_role_whatever_the_token_says() -> None:
    provider = Provider()

    claims = await tokens(provider).verify(provider.citizen(roles=["CLERK"]))

    assert claims.roles == {"CITIZEN"}


async def test_a_scope_for_everything_does_not_exist() -> None:
    provider = Provider()

    claims = await tokens(provider).verify(provider.partner("*", "bills.read"))

    assert claims.scopes == {"bills.read"}


async def test_a_new_key_of_the_provider_is_found() -> None:
    provider = Provider()
    keys = KeySet(provider.keys)
    await keys.refresh()
    provider.key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, private=True, auto_kid=True)
    await keys.refresh()

    assert await Tokens(ISSUER, keys, is_prod=False).verify(provider.staff())


async def test_a_provider_that_is_away_is_no_fault_of_the_caller() -> None:
    provider = Provider()
    provider.failure = OSError("away")

    with pytest.raises(Unavailable, match="IDENTITY_PROVIDER_UNAVAILABLE"):
        await tokens(provider).verify(provider.staff())


async def test_known_keys_outlive_an_outage() -> None:
    provider = Provider()
    keys = KeySet(provider.keys)
    await keys.refresh()
    provider.failure = OSError("away")
    await keys.refresh()

    assert await Tokens(ISSUER, keys, is_prod=False).verify(provider.staff())


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_a_token_ends_with_the_key_that_signed_it() -> None:
    provider = Provider()
    keys = KeySet(provider.keys)
    verifier = Tokens(ISSUER, keys, is_prod=False)
    token = provider.staff()
    await verifier.verify(token)

    provider.key = Provider().key
    await keys.refresh()

    with pytest.raises(Unauthenticated):
        await verifier.verify(token)


@pytest.mark.parametrize("changes", [{"exp": FromNow(86400)}, {"iat": None}, {"iat": 0}], ids=str)
async def test_a_token_that_lives_for_a_day_is_refused(changes: dict[str, Any]) -> None:
    provider = Provider()

    await refused(provider, provider.token(**at_once(changes)))


@pytest.mark.parametrize("named", ["p-other", None])
async def test_an_identity_of_somebody_else_is_not_believed(named: str | None, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    provider = HttpIdentityProvider(ISSUER, "hrss-gateway", tmp_path / "secret")
    found = {"name": "张三", "id_number": "990000199003151234"} | ({"sub": named} if named else {})
    described = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks.json", "userinfo_endpoint": f"{ISSUER}/userinfo"}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=found if request.url.path == "/userinfo" else described)

    await provider.close()
    provider._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))  # the wire, not the provider
    with pytest.raises(Unavailable, match="IDENTITY_PROVIDER_UNAVAILABLE"):
        await provider.identity("token", "p-mine")
    await provider.close()


async def test_between_containers_the_issuer_keeps_its_name_and_is_asked_at_another_address(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    provider = HttpIdentityProvider(ISSUER, "hrss-gateway", tmp_path / "secret", url="http://idp:8081")
    described = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks.json", "userinfo_endpoint": "https://else.example/me"}
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json=described if "well-known" in request.url.path else {"sub": "p-1"})

    await provider.close()
    provider._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))  # the wire, not the provider
    await provider.keys()
    with pytest.raises(Unavailable):
        await provider.identity("token", "p-mine")
    await provider.close()

    inside = "http://idp:8081"
    assert asked == [f"{inside}/.well-known/openid-configuration", f"{inside}/jwks.json", "https://else.example/me"]


async def test_a_provider_that_calls_itself_something_else_gives_no_keys(tmp_path: Path) -> None:
    provider = HttpIdentityProvider(ISSUER, "hrss-gateway", tmp_path / "secret", url="http://idp:8081")
    described = {"issuer": "http://idp:8081", "jwks_uri": "http://idp:8081/jwks.json", "userinfo_endpoint": "x"}

    await provider.close()
    provider._client = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _request: httpx.Response(200, json=described))
    )
    with pytest.raises(ValueError, match="calls itself something else"):
        await provider.keys()
    await provider.close()


@pytest.mark.parametrize(
    ("endpoint", "reached"),
    [
        ("http://127.0.0.1:8081/token", "http://idp:8081/token"),
        ("http://127.0.0.1:80811/token", "http://127.0.0.1:80811/token"),
        ("https://else.example/token", "https://else.example/token"),
    ],
)
def test_only_what_lies_below_the_issuer_is_asked_at_the_other_address(endpoint: str, reached: str) -> None:
    assert reached_at(endpoint, "http://127.0.0.1:8081/", "http://idp:8081/") == reached
    assert reached_at(endpoint, "http://127.0.0.1:8081", "http://127.0.0.1:8081") == endpoint
