"""Who can log in: six logins of staff, and citizens that are registered at run time and kept sealed.

A citizen's subject is a keyed pseudonym of the identity number: the same person is the same subject for ever, and
nobody without the key can compute it. A login of staff carries the pseudonym of its human in the same way, so that two
logins of one human, and their own login as a citizen, are known as one natural person. The file on disk is a list of
sealed records; no number stands there in clear.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ops.secrets import Keys

CITIZENS_MAX = 20_000  # all of them are held in memory
NAME_LENGTH_MAX = 50
NONCE_BYTES = 12
NUMBER = re.compile(r"990000[0-9]{11}[0-9X]", re.ASCII)  # region 990000 does not exist, so the number is nobody's
_PURPOSE = b"hrss idp persona v1"

Kind = Literal["person", "staff"]


class PersonaRefused(ValueError):  # noqa: N818 - read as a sentence
    """This cannot be a persona; the text names the field and never repeats the value."""


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody who can log in. `name` and `id_number` never enter a token, a log or `repr`."""

    sub: str
    kind: Kind
    name: str
    id_number: str = ""
    roles: tuple[str, ...] = ()
    natural_person: str = ""  # of staff: the subject that the same human has as a citizen

    def __repr__(self) -> str:
        return f"Persona({self.sub!r}, {self.kind!r})"

    @property
    def title(self) -> str:
        """What a list shows: the name of a citizen is masked."""
        return f"{self.name[:1]}{'*' * max(1, len(self.name) - 1)}" if self.kind == "person" else self.name


# Behind each login stands a human with an invented number; two of the logins belong to one human, for four eyes.
_TWO_LOGINS = "990000197001019928"
STAFF = (
    Persona("staff-clerk-1", "staff", "窗口经办一 / Clerk 1", "99000019700101991X", ("CLERK",)),
    Persona("staff-clerk-2", "staff", "窗口经办二 / Clerk 2", _TWO_LOGINS, ("CLERK",)),
    Persona("staff-supervisor-1", "staff", "复核主管一 / Supervisor 1", "990000197001019936", ("SUPERVISOR",)),
    Persona(
        "staff-supervisor-2", "staff", "复核主管二（即经办二）/ Supervisor 2 (is Clerk 2)", _TWO_LOGINS, ("SUPERVISOR",)
    ),
    Persona("staff-auditor-1", "staff", "稽核内控 / Auditor 1", "990000197001019944", ("AUDITOR",)),
    Persona("staff-operator-1", "staff", "平台运维 / Operator 1", "990000197001019952", ("OPERATOR",)),
)


class Personas:
    """All personas; citizens survive a restart in a sealed file."""

    def __init__(self, file: Path, keys: Keys) -> None:
        self._file = file
        key = keys.secret("idp-personas.key", lambda: secrets.token_bytes(32))
        self._cipher = AESGCM(hashlib.sha256(key + b"seal").digest())
        self._pseudonym_key = hashlib.sha256(key + b"pseudonym").digest()
        self._staff = {one.sub: replace(one, natural_person=self._subject(one.id_number)) for one in STAFF}
        self._citizens: dict[str, Persona] = {}
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for persona in self._read():
            self._citizens[persona.sub] = persona

    def __iter__(self) -> Iterator[Persona]:
        yield from self._staff.values()
        yield from self._citizens.values()

    def find(self, sub: str) -> Persona | None:
        """The persona of a subject."""
        return self._staff.get(sub) or self._citizens.get(sub)

    def register(self, name: object, id_number: object) -> tuple[Persona, bool]:
        """Add a citizen or change the name of a known one; returns the persona and whether it is new.

        Raises:
            PersonaRefused: The name or number is malformed, or the number could belong to somebody.
        """
        if not isinstance(name, str) or not 0 < len(name.strip()) <= NAME_LENGTH_MAX or not name.isprintable():
            raise PersonaRefused(f"name: 1 to {NAME_LENGTH_MAX} printable characters")
        if not isinstance(id_number, str) or not NUMBER.fullmatch(id_number.upper()):
            raise PersonaRefused("id_number: 18 characters of region 990000, which belongs to nobody")
        persona = Persona(self._subject(id_number.upper()), "person", name.strip(), id_number.upper())
        known = self._citizens.get(persona.sub)
        if not known and len(self._citizens) >= CITIZENS_MAX:
            raise PersonaRefused(f"this development provider holds at most {CITIZENS_MAX} citizens")
        if known != persona:
            self._append(persona)
            self._citizens[persona.sub] = persona
        return persona, known is None

    def _subject(self, id_number: str) -> str:
        return "p-" + hmac.new(self._pseudonym_key, id_number.encode(), "sha256").hexdigest()[:24]

    def _append(self, persona: Persona) -> None:
        nonce = secrets.token_bytes(NONCE_BYTES)
        text = json.dumps([persona.name, persona.id_number]).encode()
        line = base64.b64encode(nonce + self._cipher.encrypt(nonce, text, _PURPOSE)) + b"\n"
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> Iterator[Persona]:
        if not self._file.exists():
            return
        content = self._file.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]  # a record that a crash cut off was never answered
        if whole != content:
            os.truncate(self._file, len(whole))
        for line in whole.splitlines():
            sealed = base64.b64decode(line)
            name, id_number = json.loads(self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _PURPOSE))
            yield Persona(self._subject(id_number), "person", name, id_number)
