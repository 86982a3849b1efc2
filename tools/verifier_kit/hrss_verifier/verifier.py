"""The order of a verification, offline: the first thing that is wrong ends it, and nothing uncertain is ever "ok"."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import curves
from .coding import Malformed, base45, read, write

if TYPE_CHECKING:
    from collections.abc import Iterable

LENGTH_MAX = 520
LEEWAY, SHOWN_SECONDS = 30, 60
SEEN_SECONDS = 300
LIST_SECONDS = 86_400
TRUST_SECONDS = 7 * 86_400
_LIST_BYTES = 2**20 * 2 // 8
_CWT_TYPE = "application/statuslist+cwt"

GROUPS = {
    "ok": "ok",
    **dict.fromkeys(("stale", "replayed", "clock_wrong", "wrong_audience"), "show_again"),
    **dict.fromkeys(("revoked", "suspended", "card_expired"), "not_valid"),
    **dict.fromkeys(("status_unknown", "unknown_key", "list_expired"), "cannot_check"),
    **dict.fromkeys(
        ("malformed", "unsupported_version", "bad_issuer_signature", "bad_device_signature", "key_withdrawn"), "refused"
    ),
}
"""What each code means for whoever stands at the counter; cannot_check never means ok."""


class Refused(Exception):  # noqa: N818 - reads as what it says
    """A list that is not taken over: its code says why. What was there before goes on to count."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Result:
    """What a verification came to; everything after `code` only when signatures were right."""

    code: str
    kind: str = ""
    card_reference: bytes = b""
    nonce: bytes = b""
    time: int = 0
    level: int = 0
    name_masked: str = ""
    last4: str = ""
    flags: int = 0

    @property
    def group(self) -> str:
        """ok, show_again, not_valid, cannot_check or refused."""
        return GROUPS[self.code]


@dataclass(frozen=True)
class _Key:
    purpose: str
    alg: int
    point: bytes
    state: str
    kid: bytes


@dataclass
class _List:
    uri: str
    iat: int
    exp: int
    packed: bytearray
    sequence: int = 0


class Verifier:
    """Keys, lists and what was seen; one for each counter, not shared by threads.

    Args:
        roots: Roots of trust: algorithm ("ES256" or "SM2") and compressed point of 33 bytes, from the contract.
        status_uri: Address under which status lists name themselves, without their number; empty takes any.
        sequence: Sequence of the last trust list that was taken over, kept by the caller over restarts.
    """

    def __init__(self, roots: Iterable[tuple[str, bytes]], status_uri: str = "", sequence: int = 0) -> None:
        self._roots = [
            _Key("trust-root", curves.NAMES[name], point, "active", _kid(curves.NAMES[name], point))
            for name, point in roots
        ]
        self._uri = status_uri
        self.sequence = sequence
        self._keys: list[_Key] = []
        self._trust_exp = 0
        self._lists: dict[int, _List] = {}
        self._seen: dict[tuple[bytes, bytes], int] = {}
        self.checks: list[Result] = []  # to be uploaded within 24 hours

    # -- lists

    def load_trust_list(self, data: bytes, now: int) -> int:
        """Take over a trust list; its sequence.

        Raises:
            Refused: malformed, unknown_key, bad_issuer_signature, list_expired, or replayed: a lower sequence.
        """
        try:
            match read(self._opened(data, self._roots, b"NT1/T")[0]):
                case [1, int() as sequence, int() as iat, int() as exp, list() as rows]:
                    keys = [_key(row) for row in rows]
                case _:
                    raise Refused("malformed")
        except Malformed:
            raise Refused("malformed") from None
        if sequence < self.sequence:
            raise Refused("replayed")
        if not (iat <= now + LEEWAY and now < exp <= iat + TRUST_SECONDS):
            raise Refused("list_expired")
        self.sequence, self._keys, self._trust_exp = sequence, keys, exp
        return sequence

    def load_status_list(self, cwt: bytes, now: int) -> int:
        """Take over a status list (CWT); its number, which is the end of its address.

        Raises:
            Refused: As for trust lists; replayed: older than the one that is here.
        """
        try:
            match read(self._opened(cwt.removeprefix(b"\xd2"), self._of("status"), b"", _CWT_TYPE)[0]):
                case {2: str() as uri, 4: int() as exp, 6: int() as iat, 65533: {"bits": 2, "lst": bytes() as lst}}:
                    number, packed = int(uri.rpartition("/")[2]), _inflate(lst)
                case _:
                    raise Refused("malformed")
        except (Malformed, ValueError):
            raise Refused("malformed") from None
        if self._uri and uri != f"{self._uri}/{number}":
            raise Refused("malformed")
        if not (iat <= now + LEEWAY and now < exp <= iat + LIST_SECONDS):
            raise Refused("list_expired")
        known = self._lists.get(number)
        if known is not None and iat < known.iat:
            raise Refused("replayed")
        self._lists[number] = _List(uri, iat, exp, bytearray(packed))
        return number

    def apply_changes(self, data: bytes, now: int) -> int:
        """Take over the signed changes from one publication of a list to the next; the sequence it stands at.

        The first changes after a whole list may be any that are newer; later ones have to follow each other.

        Raises:
            Refused: As for lists; status_unknown: a gap, or no list: fetch the whole list.
        """
        try:
            match read(self._opened(data, self._of("status"), b"NT1/L")[0]):
                case [1, int() as number, int() as before, int() as sequence, int() as iat, list() as rows]:
                    pairs = [(int(place), int(value)) for place, value in rows]
                case _:
                    raise Refused("malformed")
        except (Malformed, TypeError, ValueError):
            raise Refused("malformed") from None
        known = self._lists.get(number)
        if known is None or (known.sequence and before != known.sequence):
            raise Refused("status_unknown")
        if iat > now + LEEWAY:
            raise Refused("list_expired")
        if iat <= known.iat:
            raise Refused("replayed")
        if any(not 0 <= place < 4 * _LIST_BYTES or not 0 <= value < 4 for place, value in pairs):  # noqa: PLR2004 - two bits
            raise Refused("malformed")
        for place, value in pairs:
            shift = place % 4 * 2
            known.packed[place // 4] = known.packed[place // 4] & ~(3 << shift) | value << shift
        known.iat, known.exp, known.sequence = iat, iat + LIST_SECONDS, sequence
        return sequence

    # -- codes

    def verify(self, text: str, now: int, audience: bytes = b"") -> Result:
        """Verify the text of a QR code.

        Args:
            text: As it was read.
            now: Seconds since 1970.
            audience: The challenge that this verifier shows; a code with another one is not for it.
        """
        try:
            result = self._verify(text, now, audience)
        except Malformed:
            result = Result("malformed")
        if result.kind == "D":
            self.checks.append(result)
        return result

    def _verify(self, text: str, now: int, audience: bytes) -> Result:
        prefix = text[:5]
        if len(text) > LENGTH_MAX or prefix not in {"NTS1:", "NTD1:"}:
            return Result("malformed")
        if now >= self._trust_exp:
            return Result("list_expired")
        data = base45(text[5:])
        try:
            return self._minted(data, now) if prefix == "NTS1:" else self._shown(read(data), now, audience)
        except Refused as refused:
            return Result(refused.code)

    def _minted(self, data: bytes, now: int) -> Result:
        """A code that the platform minted: whether its card is valid only the platform can say."""
        fields = read(self._opened(data, self._of("token"), b"NT1/S")[0])
        _require_version(fields)
        match fields:
            case [
                _,
                bytes() as reference,
                int() as iat,
                int() as ttl,
                bytes() as number,
                int() as level,
                int() as flags,
            ]:
                code = _timely(iat, ttl, now) or "status_unknown"
                return Result(code, "S", reference, number, iat, level, flags=flags)
        raise Malformed

    def _shown(self, parts: Any, now: int, audience: bytes) -> Result:
        match parts:
            case [bytes() as blob, int() as ts, bytes() as nonce, bytes() as asked, bytes() as signature]:
                if len(nonce) != 6 or len(asked) > 16 or ts < 0:  # noqa: PLR2004 - as a device writes them
                    raise Malformed
            case _:
                raise Malformed
        payload, alg = self._opened(blob, self._of("card"), b"NT1/C")
        fields = read(payload)
        _require_version(fields)
        match fields:
            case [
                _,
                bytes() as reference,
                int() as iat,
                int() as exp,
                bytes() as device,
                int() as number,
                int() as place,
                int() as level,
                str() as name,
                str() as last4,
                int() as flags,
            ]:
                pass
            case _:
                raise Malformed
        if not curves.verifies(alg, device, signature, write(["NT1/D", blob, ts, nonce, asked])):
            raise Refused("bad_device_signature")
        code = (
            _timely(ts, SHOWN_SECONDS, now)
            or ("clock_wrong" if iat > now + LEEWAY else "")
            or ("card_expired" if now > exp else "")
            or ("wrong_audience" if asked != audience and (asked or audience) else "")
            or self._status(number, place, now)
            or self._burned(reference, nonce, now)
            or "ok"
        )
        return Result(code, "D", reference, nonce, ts, level, name, last4, flags)

    def _status(self, number: int, place: int, now: int) -> str:
        known = self._lists.get(number)
        if known is None or now >= known.exp or not 0 <= place < 4 * len(known.packed):
            return "status_unknown"
        return ("", "revoked", "suspended", "revoked")[known.packed[place // 4] >> place % 4 * 2 & 3]

    def _burned(self, reference: bytes, nonce: bytes, now: int) -> str:
        if len(self._seen) > 10_000:  # noqa: PLR2004 - five minutes of a busy gate; older ones are stale anyway
            self._seen = {key: until for key, until in self._seen.items() if until > now}
        if self._seen.get((reference, nonce), 0) > now:
            return "replayed"
        self._seen[reference, nonce] = now + SEEN_SECONDS
        return ""

    # -- signatures

    def _of(self, purpose: str) -> list[_Key]:
        return [key for key in self._keys if key.purpose == purpose]

    def _opened(self, data: bytes, keys: list[_Key], context: bytes, kind: str = "") -> tuple[bytes, int]:
        """Payload of a COSE_Sign1 by one of these keys, and its algorithm, which the key decides and not the header."""
        protected, payload, signature = _parts(data)
        header = read(protected)
        expected = {1, 4, 16} if kind else {1, 4}
        if not isinstance(header, dict) or header.keys() != expected or (kind and header[16] != kind):
            raise Malformed
        found = [key for key in keys if key.kid == header[4]]
        if not found:
            raise Refused("unknown_key")
        named = [key for key in found if key.alg == header[1]]
        if not named:
            raise Malformed
        signed = write(["Signature1", protected, context, payload])
        for key in named:
            if curves.verifies(key.alg, key.point, signature, signed):
                if key.state == "withdrawn":
                    raise Refused("key_withdrawn")
                return payload, key.alg
        raise Refused("bad_issuer_signature")


def _parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    match read(data):
        case [bytes() as protected, dict() as unprotected, bytes() as payload, bytes() as signature] if not unprotected:
            return protected, payload, signature
    raise Malformed


def _timely(iat: int, ttl: int, now: int) -> str:
    if iat > now + LEEWAY:
        return "clock_wrong"
    return "" if now <= iat + ttl + LEEWAY else "stale"


def _require_version(fields: Any) -> None:
    if isinstance(fields, list) and fields and isinstance(fields[0], int) and fields[0] != 1:
        raise Refused("unsupported_version")


def _key(row: Any) -> _Key:
    match row:
        case [str() as purpose, int() as alg, bytes() as point, str() as state]:
            try:
                return _Key(purpose, alg, point, state, _kid(alg, point))
            except (curves.PointWrong, KeyError):
                raise Malformed from None
    raise Malformed


def _kid(alg: int, point: bytes) -> bytes:
    return curves.thumbprint(alg, point)[:4]


def _inflate(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        packed = stream.decompress(data, _LIST_BYTES + 1)
    except zlib.error:
        raise Malformed from None
    if len(packed) != _LIST_BYTES or not stream.eof or stream.unused_data:
        raise Malformed
    return packed
