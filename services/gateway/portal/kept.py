"""What was filled in when a login had to be strengthened, so that nobody types it twice.

It travels in a cookie that is sealed for this gateway, lives ten minutes, opens for the same login and the same page
only, and is thrown away as soon as it has been shown. Nothing is stored here. Secrets (PINs) and files are not kept.
"""

from __future__ import annotations

import base64
import time
import zlib
from typing import TYPE_CHECKING

import orjson

from chassis.sealed import SealBroken, Sealer
from services.gateway.portal.forms import SECRETS

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT_SECONDS = 600  # as long as a departure to the provider may take
_COOKIE_MAX = 3800  # browsers hold 4,096 bytes with name and attributes
_PLACE = ("portal_form", "kept", "cookie")  # a sealed cookie opens as nothing else


def seal(sealer: Sealer, *, subject: str, path: str, form: Mapping[str, str]) -> str:
    """The cookie; empty where the form does not fit."""
    values = {name: value for name, value in form.items() if name.rpartition(".")[2] not in SECRETS}
    content = {"subject": subject, "path": path, "form": values, "end": time.time() + KEPT_SECONDS}
    packed = zlib.compress(orjson.dumps(content), 9)
    cookie = base64.urlsafe_b64encode(sealer.seal(*_PLACE, packed)).decode()
    return cookie if len(cookie) <= _COOKIE_MAX else ""


def unseal(sealer: Sealer, cookie: str, *, subject: str, path: str) -> dict[str, str] | None:
    """The form for this login and page; None where the cookie holds none."""
    try:
        packed = sealer.open(*_PLACE, base64.urlsafe_b64decode(cookie.encode()))
        found = orjson.loads(zlib.decompress(packed))
    except (SealBroken, ValueError, zlib.error):
        return None
    if found["subject"] != subject or found["path"] != path or found["end"] < time.time():
        return None
    values: dict[str, str] = found["form"]
    return values
