"""The development identity provider: standard where the gateway looks, honest where people look, sealed on disk."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from ops import children
from ops.idp.app import create_app
from ops.idp.personas import STAFF
from ops.secrets import Keys
from tests.ops.conditions import until
from tests.ops.idp import CALLBACK, NAME, NUMBER, URL, VERIFIER, Idp, authorization

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def idp(tmp_path: Path) -> Idp:
    """A provider without citizens."""
    return Idp(tmp_path)


async def verified(idp: Idp, token: str) -> dict[str, Any]:
    """The claims, verified as a gateway does: with nothing but the published key set."""
    keys = KeySet.import_key_set((await idp.get("/jwks.json")).json())
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    assert decoded.header["typ"] == "at+jwt"
    return decoded.claims


async def code(idp: Idp, sub: str, **changes: str) -> str:
    """A code, as a browser brings it back from the page."""
    answer = await idp.post("/authorize", data={**authorization(**changes), "persona": sub, "acr": "3"})
    assert answer.status_code == 303
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


async def test_discovery_names_what_exists(idp: Idp) -> None:
    described = (await idp.get("/.well-known/openid-configuration")).json()

    assert described["issuer"] == URL
    assert (await idp.get(described["jwks_uri"])).json()["keys"][0]["crv"] == "P-256"
    assert "d" not in (await idp.get(described["jwks_uri"])).json()["keys"][0]


async def test_person_token_verifies_and_carries_no_name_and_no_number(idp: Idp) -> None:
    sub = await idp.register()

    token = await idp.token(sub, acr=3)
    claims = await verified(idp, token)

    times = {name: claims.pop(name) for name in ("iat", "nbf", "exp", "jti")}
    assert claims == {
        "iss": URL,
        "aud": "hrss-gateway",
        "sub": sub,
        "client_id": "hrss-portal",
        "scope": "openid identity",
        "kind": "person",
        "acr": "3",
        "env": "dev",
    }
    assert times["exp"] - times["iat"] <= 900
    payload = base64.urlsafe_b64decode(token.split(".")[1] + "==").decode()
    assert NUMBER not in payload
    assert NAME not in payload


@pytest.mark.parametrize(
    ("persona", "role"),
    [
        ("staff-clerk-1", "CLERK"),
        ("staff-clerk-2", "CLERK"),
        ("staff-supervisor-1", "SUPERVISOR"),
        ("staff-supervisor-2", "SUPERVISOR"),
        ("staff-auditor-1", "AUDITOR"),
        ("staff-operator-1", "OPERATOR"),
    ],
)
async def test_staff_token_carries_the_role(idp: Idp, persona: str, role: str) -> None:
    claims = await verified(idp, await idp.token(persona))

    assert (claims["sub"], claims["kind"], claims["roles"], claims["acr"]) == (persona, "staff", [role], "4")


async def test_logins_of_one_human_share_a_natural_person_and_others_do_not(idp: Idp) -> None:
    people = {one.sub: (await verified(idp, await idp.token(one.sub)))["natural_person"] for one in STAFF}
    clerk_2 = next(one for one in STAFF if one.sub == "staff-clerk-2")

    assert people["staff-clerk-2"] == people["staff-supervisor-2"]
    assert len(set(people.values())) == len(STAFF) - 1
    assert await idp.register("某人", clerk_2.id_number) == people["staff-clerk-2"]  # and as a citizen the same again


async def test_partner_gets_the_scopes_it_has_or_fewer(idp: Idp) -> None:
    everything = await idp.post("/token", "tax-bureau", data={"grant_type": "client_credentials"})
    fewer = await idp.post("/token", "tax-bureau", data={"grant_type": "client_credentials", "scope": "bills.read"})

    claims = await verified(idp, everything.json()["access_token"])
    assert claims["sub"] == claims["client_id"] == "tax-bureau"
    assert claims["kind"] == "partner"
    assert claims["scope"] == "bills.read receipts.write"
    assert "acr" not in claims
    assert (await verified(idp, fewer.json()["access_token"]))["scope"] == "bills.read"


async def test_partner_does_not_get_the_scope_of_another(idp: Idp) -> None:
    answer = await idp.post(
        "/token", "tax-bureau", data={"grant_type": "client_credentials", "scope": "payments.write"}
    )

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_client_that_is_no_partner_gets_no_token_of_its_own(idp: Idp) -> None:
    answer = await idp.post("/token", "hrss-gateway", data={"grant_type": "client_credentials"})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize("secret", ["", "wrong", "\u00fc"])
@pytest.mark.parametrize("client_id", ["tax-bureau", "nobody", "hrss-portal", ""])
async def test_wrong_client_secret_is_refused(idp: Idp, client_id: str, secret: str) -> None:
    answer = await idp.post(
        "/token", data={"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    )

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_code_flow_ends_in_tokens_for_the_chosen_persona(idp: Idp) -> None:
    sub = await idp.register()
    form = {"grant_type": "authorization_code", "client_id": "hrss-portal", "redirect_uri": CALLBACK}

    answer = await idp.post("/token", data={**form, "code": await code(idp, sub), "code_verifier": VERIFIER})

    claims = await verified(idp, answer.json()["access_token"])
    assert (claims["sub"], claims["acr"]) == (sub, "3")
    keys = KeySet.import_key_set((await idp.get("/jwks.json")).json())
    identity = jwt.decode(answer.json()["id_token"], keys, algorithms=["ES256"]).claims
    assert (identity["aud"], identity["nonce"], identity["sub"]) == ("hrss-portal", "n-1", sub)


async def test_code_is_good_once_and_for_its_owner_only(idp: Idp) -> None:
    form = {
        "grant_type": "authorization_code",
        "client_id": "hrss-portal",
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    used = await code(idp, "staff-clerk-1")
    assert (await idp.post("/token", data={**form, "code": used})).status_code == 200

    again = await idp.post("/token", data={**form, "code": used})
    stolen = await idp.post(
        "/token", data={**form, "code": await code(idp, "staff-clerk-1"), "code_verifier": "x" * 64}
    )
    elsewhere = {**form, "code": await code(idp, "staff-clerk-1"), "redirect_uri": CALLBACK + "/other"}

    for answer in (again, stolen, await idp.post("/token", data=elsewhere)):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "http://evil.example/callback"},
        {"redirect_uri": "https://127.0.0.1@evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"client_id": "tax-bureau"},
        {"client_id": "nobody"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"response_type": "token"},
    ],
)
async def test_unsafe_authorization_request_shows_no_page_and_gives_no_code(idp: Idp, changes: dict[str, str]) -> None:
    page = await idp.get("/authorize", params=authorization(**changes))
    choice = await idp.post("/authorize", data={**authorization(**changes), "persona": "staff-clerk-1"})

    assert (page.status_code, choice.status_code) == (400, 400)


async def test_refresh_token_is_good_once_and_keeps_the_level(idp: Idp) -> None:
    first = await idp.post("/dev/token", json={"persona": "staff-clerk-1", "acr": 2})
    form = {"grant_type": "refresh_token", "refresh_token": first.json()["refresh_token"]}

    second = await idp.post("/token", data=form)
    third = await idp.post("/token", data=form)

    assert (await verified(idp, second.json()["access_token"]))["acr"] == "2"
    assert (third.status_code, third.json()["error"]) == (400, "invalid_grant")


async def test_gateway_reads_the_real_name_identity_behind_a_token(idp: Idp) -> None:
    sub = await idp.register()

    answer = await idp.post("/userinfo", "hrss-gateway", data={"access_token": await idp.token(sub)})

    assert answer.json() == {"sub": sub, "name": NAME, "id_number": NUMBER, "acr": "2", "env": "dev"}
    assert answer.headers["cache-control"] == "no-store"


async def test_nobody_else_reads_the_identity(idp: Idp) -> None:
    token = await idp.token(await idp.register())

    partner = await idp.post("/userinfo", "front-office", data={"access_token": token})
    anonymous = await idp.post("/userinfo", data={"access_token": token})

    assert (partner.status_code, anonymous.status_code) == (403, 401)
    assert NUMBER not in partner.text + anonymous.text


async def test_forged_and_foreign_tokens_give_no_identity(idp: Idp, tmp_path: Path) -> None:
    token = await idp.token(await idp.register())
    stranger = Idp(tmp_path / "stranger")
    foreign = await stranger.token(await stranger.register())
    header, payload, signature = token.split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")

    for bad in (foreign, f"{unsigned}.{payload}.", f"{header}.{payload}.{signature[:-6]}AAAAAA", "", "x" * 9000):
        answer = await idp.post("/userinfo", "hrss-gateway", data={"access_token": bad})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    with pytest.raises(JoseError):
        await verified(idp, foreign)


async def test_expired_token_gives_no_identity(idp: Idp) -> None:
    sub = await idp.register()
    key = ECKey.import_key(json.loads((idp.keys.directory / "idp-signing.jwk").read_text()))
    claims = {"iss": URL, "aud": "hrss-gateway", "sub": sub, "scope": "identity", "acr": "2", "exp": 1_700_000_000}
    expired = jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": key.kid}, claims, key)

    answer = await idp.post("/userinfo", "hrss-gateway", data={"access_token": expired})

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


async def test_same_number_is_the_same_subject_also_after_a_restart(idp: Idp, tmp_path: Path) -> None:
    first = await idp.register()
    second = await idp.post("/dev/personas", "hrss-demo", json={"name": "张三", "id_number": NUMBER})

    restarted = Idp(tmp_path)
    assert (second.status_code, second.json()["sub"]) == (200, first)
    answer = await restarted.post("/userinfo", "hrss-gateway", data={"access_token": await restarted.token(first)})
    assert (answer.json()["name"], answer.json()["id_number"]) == ("张三", NUMBER)


async def test_no_name_and_no_number_lies_on_disk_in_clear(idp: Idp) -> None:
    await idp.register("诸葛孔明")

    for path in idp.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert NUMBER.encode() not in content
            assert "诸葛孔明".encode() not in content
            assert base64.b64encode(NUMBER.encode())[:16] not in content
            assert path.stat().st_mode & 0o077 == 0


async def test_record_that_a_crash_cut_off_is_forgotten_and_the_others_stay(idp: Idp, tmp_path: Path) -> None:
    sub = await idp.register()
    with idp.personas_file.open("ab") as file:
        file.write(b"AAAA")

    restarted = Idp(tmp_path)
    other = await restarted.register("李四", "990000196603010029")

    subs = {persona["sub"] for persona in (await Idp(tmp_path).get("/dev/personas")).json()["personas"]}
    assert {sub, other} <= subs


@pytest.mark.parametrize(
    ("name", "number"),
    [
        (NAME, "320602196603010011"),
        (NAME, "99000019660301001"),
        (NAME, "990000196603010011\n"),
        (NAME, "９９００００196603010011"),
        (NAME, None),
        ("", NUMBER),
        ("x" * 51, NUMBER),
        ("a\nb", NUMBER),
        (7, NUMBER),
    ],
)
async def test_only_invented_people_are_registered(idp: Idp, name: object, number: object) -> None:
    answer = await idp.post("/dev/personas", "hrss-demo", json={"name": name, "id_number": number})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert str(number) not in answer.text


async def test_only_known_clients_register_people(idp: Idp) -> None:
    body = {"name": NAME, "id_number": NUMBER}

    assert (await idp.post("/dev/personas", json=body)).status_code == 401
    assert (await idp.post("/dev/personas", "bank", json=body)).status_code == 403


async def test_page_and_lists_say_what_they_are_and_mask_names(idp: Idp) -> None:
    await idp.register("诸葛孔明")

    page = await idp.get("/authorize", params=authorization(acr_values="3"))
    listed = await idp.get("/dev/personas")

    assert "仿真身份，仅供开发测试" in page.text
    assert "Simulated identity for development only" in page.text
    assert "诸***" in page.text
    assert "诸葛" not in page.text + listed.text
    assert NUMBER not in page.text + listed.text
    assert 'value="3" checked' in page.text


async def test_page_escapes_what_the_client_sent(idp: Idp) -> None:
    page = await idp.get("/authorize", params=authorization(state='"><script>alert(1)</script>'))

    assert "<script>" not in page.text


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"persona": 7}', b'{"persona":"staff-clerk-1","acr":9}', b"[" * 9000]
)
async def test_malformed_requests_are_refused_by_name(idp: Idp, body: bytes) -> None:
    answer = await idp.post("/dev/token", content=body)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_overlong_body_is_refused(idp: Idp) -> None:
    assert (await idp.post("/dev/token", content=b"x" * 20_000)).status_code == 413


async def test_other_host_names_are_refused(idp: Idp) -> None:
    answer = await idp.get("/dev/personas", headers={"host": "evil.example"})

    assert answer.status_code == 400


def environment(home: Path, **changes: str) -> dict[str, str]:
    """The variables of a provider process."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}
    return {**base, "HRSS_HOME": str(home), "HRSS_KEYS_DIR": str(home / "keys"), "HRSS_IDP_PORT": "0", **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"HRSS_ENV": "prod"},
        {"HRSS_IDP_HOST": "0.0.0.0"},
        {"HRSS_IDP_ISSUER": "http://id.example:8081", "HRSS_ALLOW_PRIVATE_NETWORK": "yes"},
        {"HRSS_ENV": "prod", "HRSS_IDP_HOST": "0.0.0.0", "HRSS_ALLOW_PRIVATE_NETWORK": "yes"},
    ],
)
def test_process_refuses_production_and_foreign_addresses(tmp_path: Path, changes: dict[str, str]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ops.idp"],
        env=environment(tmp_path, **changes),
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert result.returncode == 2
    assert next(iter(changes)) in result.stderr.decode()
    assert not (tmp_path / "keys").exists()


async def test_between_containers_it_answers_to_its_own_name_and_signs_as_the_public_issuer(tmp_path: Path) -> None:
    app = create_app(URL, Keys(tmp_path / "keys"), tmp_path / "personas.sealed", names=["idp"])

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://idp:8081") as client:
        described = await client.get("/.well-known/openid-configuration")
        stranger = await client.get("/dev/personas", headers={"host": "evil.example"})

    assert described.json()["issuer"] == URL
    assert stranger.status_code == 400


def test_process_says_when_it_is_ready_and_ends_with_a_signal(tmp_path: Path) -> None:
    ready = tmp_path / "idp.json"
    process = children.start([sys.executable, "-m", "ops.idp"], env=environment(tmp_path, HRSS_READY_FILE=str(ready)))
    until(ready.exists, what="the ready file")

    told = json.loads(ready.read_text())
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"{told['url']}/.well-known/openid-configuration").json()["issuer"] == told["url"]
    process.terminate()

    assert told["pid"] == process.pid
    assert process.wait(10) == 0


def test_taken_port_is_named_with_its_variable(tmp_path: Path) -> None:
    ready = tmp_path / "idp.json"
    first = children.start([sys.executable, "-m", "ops.idp"], env=environment(tmp_path, HRSS_READY_FILE=str(ready)))
    until(ready.exists, what="the ready file")

    port = str(json.loads(ready.read_text())["port"])
    second = subprocess.run(
        [sys.executable, "-m", "ops.idp"],
        env=environment(tmp_path, HRSS_IDP_PORT=port),
        capture_output=True,
        check=False,
        timeout=30,
    )
    first.terminate()
    first.wait(10)

    assert second.returncode == 2
    assert f"端口 {port} 已被占用" in second.stderr.decode()
    assert "HRSS_IDP_PORT" in second.stderr.decode()
