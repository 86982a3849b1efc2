"""What clients send, parsed here and only here: forms, JSON, client credentials, and the refusals of RFC 6749."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from ops import http
from ops.idp.clients import CLIENTS

if TYPE_CHECKING:
    from starlette.requests import Request

    from ops.idp.personas import Persona

LEVELS = {
    1: "密码 / password",
    2: "实名核验 / name and number matched",
    3: "实人核验（仿真，不看脸） / live person (simulated, no face is checked)",
    4: "证书或窗口核验（仿真） / certificate or counter (simulated)",
}
STAFF_LEVEL = 4
PERSON_LEVEL = 2
BODY_BYTES_MAX = 16 * 1024


class OAuthError(Exception):
    """A refusal in the form of RFC 6749 §5.2; the description never repeats what was sent."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def authorization_request(given: dict[str, str]) -> dict[str, str]:
    """The checked fields of an authorization request; others are dropped."""
    client = CLIENTS.get(given.get("client_id", ""))
    if not client or not client.public:
        raise OAuthError("unauthorized_client", "no such public client")
    target = urlsplit(given.get("redirect_uri", ""))
    # Every port of this machine is allowed, and nothing else: a code can leave only to where the browser runs.
    if target.scheme != "http" or not is_loopback(target.hostname or "") or target.fragment:
        raise OAuthError("invalid_request", "redirect_uri must be http on the loopback")
    if given.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    if given.get("code_challenge_method") != "S256" or not given.get("code_challenge"):
        raise OAuthError("invalid_request", "PKCE with S256 is required")
    names = ("response_type", "client_id", "redirect_uri", "code_challenge", "code_challenge_method", "state", "nonce")
    return {name: given[name] for name in names if name in given}


def credentials(header: str, form: dict[str, str]) -> tuple[str, str]:
    """Client id and secret from the Authorization header or, without one, from the form."""
    if not header:
        return form.get("client_id", ""), form.get("client_secret", "")
    kind, _, encoded = header.partition(" ")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (unquote_plus(client_id), unquote_plus(secret)) if kind.lower() == "basic" else ("", "")


def level_of(given: object, persona: Persona) -> int:
    """The assurance level that was chosen, or the usual one."""
    if given is None or given == "":
        return STAFF_LEVEL if persona.kind == "staff" else PERSON_LEVEL
    for level in LEVELS:
        if str(given) == str(level):
            return level
    raise OAuthError("invalid_request", "acr must be 1, 2, 3 or 4")


async def form(request: Request) -> dict[str, str]:
    """The fields of a form; a field given twice is refused."""
    body = await http.body(request, BODY_BYTES_MAX)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=32, errors="strict")
    except ValueError:
        raise OAuthError("invalid_request", "the body is not a form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "a field stands there twice")
    return form


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object, whatever its content type says: curl sends forms by default."""
    try:
        body = json.loads(await http.body(request, BODY_BYTES_MAX))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise OAuthError("invalid_request", "the body is not a JSON object")
    return body
