"""The SQL that makes a service's database with its two roles: the owner for migrations, the app role with least rights.

The embedded PostgreSQL and `hrss migrate` on a real one make the same databases with it. Passwords reach the server
as verifiers only, so that neither its log nor a trace of its connection ever holds one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["app", "owner"]
SCRAM_ITERATIONS = 4096  # PostgreSQL's own default; the passwords are random, so more rounds protect nothing
ROLE_SETTINGS: Mapping[Kind, Mapping[str, str]] = {
    # What a connection gets when it asks for nothing; jobs raise statement_timeout for their own transactions.
    "app": {"statement_timeout": "5s", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s"},
    # No lock_timeout here: it would also end the wait for another migration; the migrations set their own.
    "owner": {"idle_in_transaction_session_timeout": "60s"},
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}", re.ASCII)


def is_name(name: str) -> bool:
    """Whether a database or role may be called so; what follows puts names into statements."""
    return _NAME.fullmatch(name) is not None


def role_exists(role: str) -> str:
    """The question whether a role is there."""
    return f"SELECT 1 FROM pg_roles WHERE rolname = '{_checked(role)}'"  # noqa: S608 - checked name


def database_exists(name: str) -> str:
    """The question whether a database is there."""
    return f"SELECT 1 FROM pg_database WHERE datname = '{_checked(name)}'"  # noqa: S608 - checked name


def make_role(role: str, kind: Kind, password: str, *, exists: bool) -> str:
    """Make a role, or give one that exists this password and the settings of its kind."""
    verb = "ALTER" if exists else "CREATE"
    values = "".join(f"ALTER ROLE \"{role}\" SET {key} = '{value}';" for key, value in ROLE_SETTINGS[kind].items())
    login = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
    return f"{verb} ROLE \"{_checked(role)}\" {login} PASSWORD '{scram_verifier(password)}';{values}"


def make_database(name: str) -> str:
    """Make an empty database; a statement of its own, for it cannot stand in a transaction."""
    return f'CREATE DATABASE "{_checked(name)}"'


def hand_over(name: str, owner: str, app: str) -> str:
    """Give a database to its owner and close it to everybody but the app role; the last step of making it."""
    return (
        f'ALTER DATABASE "{_checked(name)}" OWNER TO "{_checked(owner)}";'
        f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;'
        f'GRANT CONNECT ON DATABASE "{name}" TO "{_checked(app)}";'
        "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;"
    )


def scram_verifier(password: str, *, rounds: int = SCRAM_ITERATIONS) -> str:
    """What PostgreSQL keeps of a password (RFC 5802, RFC 7677); both sides pay the rounds at each login."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${rounds}:{salt_text}${stored_text}:{server_text}"


def _checked(name: str) -> str:
    if not is_name(name):
        raise ValueError(f"not a name of a database or role: {name!r}")
    return name
