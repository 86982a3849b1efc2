"""`python -m ops.handover`: makes the secrets of a platform in containers and hands each container its own.

The first step of docker-compose.yml. Passwords and keys are made once, in a volume that only this step and the
operator's container see; below `handed/` every process has a volume of its own, which gets copies of just what that
process needs, so that no container can read another one's secrets. A second run changes nothing but copies again what
was changed at the origin (a rotated key, a password of one's own choice).
"""

from __future__ import annotations

import fnmatch
import os
import secrets
import sys
from pathlib import Path

from ops.embedded.nats import ADMIN
from ops.embedded.postgres import SUPERUSER
from ops.idp.clients import CLIENTS, client_secret
from ops.migrate import make_keys
from ops.secrets import Keys
from ops.servers import SERVICES

POSTGRES, NATS = "postgres:5432", "nats:4222"  # as docker-compose.yml calls them
FROM_OUTSIDE = {"hrss-gateway", "hrss-demo", "front-office", "app-backend", "test-driver"}  # no simulator plays them
# Which key files go to whom; `{}` is the name of the process. Uploads are sealed by the gateway and read by enrollment,
# benefits and card.
OF_EVERY_SERVICE = ("principal.pub", "{}.*", "{}-*.exchange.key", "*-{}.exchange.key")
ALSO = {
    "enrollment": ("files.key",),
    "benefits": ("files.key",),
    "card": ("files.key",),
    "gateway": ("principal.key", "files.key", "idp-client-hrss-gateway.password"),
}


def main(home: Path) -> int:
    """Make what is missing below `home` and hand it over."""
    keys = Keys(home / "keys")
    make_keys(keys.directory)
    contents = everything(keys)
    for process, files in contents.items():
        give(home / "handed" / process, files, is_shared=process == "postgres")
    sys.stdout.write(f"secrets handed to {', '.join(contents)}\n")
    return 0


def everything(keys: Keys) -> dict[str, dict[str, str]]:
    """What each process gets, by file name."""
    contents = {service: _of_service(keys, service) for service in SERVICES}
    clients = {f"idp-client-{name}.password": client_secret(keys, name) for name in CLIENTS if not CLIENTS[name].public}
    played = {name: text for name, text in clients.items() if not any(f"-{one}." in name for one in FROM_OUTSIDE)}
    users = (ADMIN, *SERVICES)
    contents["idp"] = clients
    contents["simulators"] = played
    contents["postgres"] = {"password": keys.password(f"postgres-{SUPERUSER}")}
    # The quotes keep a password that begins like a number a text: the server reads variables as configuration.
    contents["nats"] = {
        "passwords.env": "".join(f"HRSS_NATS_{user.upper()}_PASSWORD='\"{_nats(keys, user)}\"'\n" for user in users)
    }
    contents["migrate"] = {
        "admin-database.url": _database_url(keys, SUPERUSER, "postgres"),
        "admin-nats.url": _nats_url(keys, ADMIN),
    }
    for service in SERVICES:
        contents["migrate"] |= {
            f"{service}-owner.url": _database_url(keys, f"{service}_owner", service),
            f"{service}-app.url": _database_url(keys, f"{service}_app", service),
            f"{service}-nats.url": _nats_url(keys, service),
        }
    return contents


def give(directory: Path, files: dict[str, str], *, is_shared: bool = False) -> None:
    """Write files whole or not at all, where they differ; others that lie there stay.

    Args:
        directory: The volume of a process.
        files: Contents by name.
        is_shared: Also for a user whose number we do not know; the volume itself keeps others out.
    """
    directory.mkdir(mode=0o755 if is_shared else 0o700, exist_ok=True)
    for name, text in files.items():
        path = directory / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        draft = directory / f".{name}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o444 if is_shared else 0o400)
        draft.replace(path)


def _of_service(keys: Keys, service: str) -> dict[str, str]:
    patterns = [pattern.format(service) for pattern in (*OF_EVERY_SERVICE, *ALSO.get(service, ()))]
    if service == "gateway":
        client_secret(keys, "hrss-gateway")
    names = sorted(path.name for path in keys.directory.iterdir() if not path.name.startswith("."))
    wanted = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    return {
        **{name: (keys.directory / name).read_text("utf-8") for name in wanted},
        "database.url": _database_url(keys, f"{service}_app", service),
        "nats.url": _nats_url(keys, service),
    }


def _database_url(keys: Keys, role: str, database: str) -> str:
    return f"postgresql://{role}:{keys.password(f'postgres-{role}')}@{POSTGRES}/{database}"


def _nats(keys: Keys, user: str) -> str:
    return keys.password(f"nats-{user}")


def _nats_url(keys: Keys, user: str) -> str:
    return f"nats://{user}:{_nats(keys, user)}@{NATS}"


if __name__ == "__main__":
    sys.exit(main(Path(os.environ["HRSS_HOME"])))
