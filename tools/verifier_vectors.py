"""Write the test vectors of the verifier kit: codes and lists of both profiles, and what each has to come to.

python tools/verifier_vectors.py     # writes tools/verifier_kit/vectors.json

Signatures are made anew each time with keys that are thrown away, so the file changes as a whole; commit it only when
the form of codes or lists changed.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

import numpy as np  # noqa: E402 - the path is set up first

from services.card import cose, credentials, signing, status, tokens, trust  # noqa: E402 - the same
from services.card.credentials import Credential  # noqa: E402 - the same
from services.card.crypto import profile as profiles  # noqa: E402 - the same
from services.card.keyring import KeyRing, KeyState, Purpose, SigningKey  # noqa: E402 - the same
from services.card.providers import SECRETS, Held  # noqa: E402 - the same
from services.card.tokens import Token  # noqa: E402 - the same
from services.card.trust import TrustList  # noqa: E402 - the same

TARGET = ROOT / "tools" / "verifier_kit" / "vectors.json"
NOW = 1_795_400_000
URI = "https://hrss.example.invalid/v1/card-status-lists"
DAY = 86_400


class Thrown:
    """Keys that nobody keeps."""

    def __init__(self) -> None:
        self._held: list[Held] = []
        self._private: dict[str, Any] = {}

    def held(self) -> list[Held]:
        """The keys."""
        return self._held

    def sign(self, label: str, data: bytes) -> bytes:
        """A raw signature."""
        signature: bytes = self._private[label].sign(data)
        return signature

    def generate(self, purpose: Purpose, profile: profiles.Profile) -> Held:
        """A new key."""
        key = profile.generate()
        one = Held(purpose, profiles.thumb(key.public).hex(), key.public)
        self._held.append(one)
        self._private[one.label] = key
        return one


def vectors(profile: profiles.Profile) -> dict[str, Any]:
    """The steps of one profile."""
    ring, root, stranger = (KeyRing(_keys(profile), profile, dict.fromkeys(SECRETS, b"k" * 32)) for _ in range(3))
    device, thief = profile.generate(), profile.generate()

    def blob(place: int, by: KeyRing = ring, **changes: Any) -> bytes:
        fields: dict[str, Any] = {"reference": place.to_bytes(8, "big"), "iat": NOW - DAY, "exp": NOW + 29 * DAY}
        fields |= {"device_key": device.public.point, "list_no": 1, "index": place, "level": 1}
        fields |= {"masked_name": "张*", "last4": "0017"}
        return credentials.issue(Credential(**fields | changes), by)

    def shown(place: int = 7, nonce: bytes = b"nonce1", at: int = NOW, audience: bytes = b"", **changes: Any) -> str:
        return credentials.present(blob(place, **changes), device, at, nonce, audience)

    values = np.zeros(status.SIZE, np.uint8)
    values[[11, 12]] = 1, 2
    packed = status.pack(values)
    listed = trust.listed(ring.keys)
    withdrawn = trust.listed(
        SigningKey(key.purpose, key.label, key.public, KeyState.WITHDRAWN if key.purpose is Purpose.CARD else key.state)
        for key in ring.keys
    )
    changes = cose.write([1, 1, 1, 2, NOW + 60, [[7, 2], [11, 0]]])
    minted = tokens.mint(Token(b"reference"[:8], NOW, 60, b"number-1", 1), ring)
    good = shown()
    root_key = root.active(Purpose.TRUST_ROOT)
    steps = [
        _verify(good, "list_expired"),
        _load("trust", trust.sign(TrustList(5, NOW, NOW + 7 * DAY, listed), stranger), "unknown_key"),
        _load("trust", trust.sign(TrustList(5, NOW - 8 * DAY, NOW - DAY, listed), root), "list_expired"),
        _load("trust", trust.sign(TrustList(5, NOW, NOW + 7 * DAY, listed), root), "ok"),
        _load("trust", trust.sign(TrustList(4, NOW, NOW + 7 * DAY, listed), root), "replayed"),
        _verify(good, "status_unknown"),
        _load("status", status.sign(f"{URI}/1", packed, NOW, stranger).cwt, "unknown_key"),
        _load("status", status.sign(f"{URI}/1", packed[:-1], NOW, ring).cwt, "malformed"),
        _load("status", status.sign(f"{URI}/1", packed, NOW - 25 * 3600, ring).cwt, "list_expired"),
        _load("status", status.sign(f"{URI}/1", packed, NOW, ring).cwt, "ok"),
        _load("status", status.sign(f"{URI}/1", packed, NOW - 60, ring).cwt, "replayed"),
        _verify(good, "ok"),
        _verify(good, "replayed"),
        _verify(shown(nonce=b"nonce2"), "stale", NOW + 91),
        _verify(shown(nonce=b"nonce3", at=NOW + 31), "clock_wrong"),
        _verify(shown(nonce=b"nonce4", audience=b"another!"), "wrong_audience"),
        _verify(shown(nonce=b"nonce4", audience=b"my-gate!"), "ok", audience=b"my-gate!"),
        _verify(shown(nonce=b"nonce5"), "wrong_audience", audience=b"my-gate!"),
        _verify(shown(11, b"nonce6"), "revoked"),
        _verify(shown(12, b"nonce7"), "suspended"),
        _verify(shown(13, b"nonce8", exp=NOW - 1), "card_expired"),
        _verify(shown(13, b"nonce9", list_no=2), "status_unknown"),
        _verify(shown(14, b"nonceA", by=stranger), "unknown_key"),
        _verify(credentials.present(blob(15), thief, NOW, b"nonceB"), "bad_device_signature"),
        _verify(credentials.PREFIX + cose.base45_write(blob(15)), "malformed"),
        _verify(tokens.PREFIX + cose.base45_write(blob(15)), "unknown_key"),
        _verify(minted, "status_unknown"),
        _verify(minted, "stale", NOW + 200),
        _verify(minted.lower(), "malformed"),
        _verify("NTS1:GGW", "malformed"),
        _verify("NTS1::::", "malformed"),
        _verify("NTD1:" + "0" * 600, "malformed"),
        _verify("", "malformed"),
        _load("changes", signing.write(stranger, Purpose.STATUS, b"NT1/L", changes), "unknown_key"),
        _load("changes", signing.write(ring, Purpose.STATUS, b"NT1/L", changes), "ok", NOW + 60),
        _load("changes", signing.write(ring, Purpose.STATUS, b"NT1/L", changes), "status_unknown", NOW + 60),
        _verify(shown(nonce=b"nonceC"), "suspended"),
        _verify(shown(11, b"nonceD"), "ok"),
        _verify(shown(nonce=b"nonceE", at=NOW + 25 * 3600), "status_unknown", NOW + 25 * 3600),
        _load("trust", trust.sign(TrustList(6, NOW, NOW + 7 * DAY, withdrawn), root), "ok"),
        _verify(shown(nonce=b"nonceF"), "key_withdrawn"),
        _verify(good, "list_expired", NOW + 8 * DAY),
    ]
    return {
        "profile": profile.name,
        "root": {"alg": "ES256" if profile is profiles.I else "SM2", "point": root_key.public.point.hex()},
        "steps": steps,
    }


def _keys(profile: profiles.Profile) -> Thrown:
    provider = Thrown()
    for purpose in Purpose:
        provider.generate(purpose, profile)
    return provider


def _verify(text: str, expect: str, now: int = NOW, audience: bytes = b"") -> dict[str, Any]:
    return {"what": "verify", "now": now, "text": text, "audience": audience.hex(), "expect": expect}


def _load(what: str, data: bytes, expect: str, now: int = NOW) -> dict[str, Any]:
    return {"what": what, "now": now, "data": base64.b64encode(data).decode(), "expect": expect}


def main() -> int:
    """Write the file."""
    made = [vectors(profile) for profile in profiles.PROFILES.values()]
    TARGET.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
