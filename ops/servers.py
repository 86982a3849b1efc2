"""Where the servers are: real ones named by `HRSS_*` variables, else the embedded ones of this home.

`HRSS_<SERVICE>_DATABASE_URL` and `HRSS_<SERVICE>_DATABASE_OWNER_URL` for every service replace the embedded PostgreSQL.
`HRSS_NATS_URL` replaces the embedded nats-server; `HRSS_NATS_ADMIN_URL` and `HRSS_<SERVICE>_NATS_URL` give users of
their own, as production has them. Each of them may stand in a file instead, which `HRSS_…_FILE` names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ops.embedded import nats, postgres
from ops.home import read_json
from ops.secrets import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ops.home import Home

Found = TypeVar("Found")
SERVICES = ("enrollment", "benefits", "training", "card", "gateway")


class ServerUnknown(Exception):  # noqa: N818 - read as a sentence
    """The environment names some servers and not others, or none runs; the text says which variable is missing."""


@dataclass(frozen=True)
class Databases:
    """PostgreSQL: a URL per service and role."""

    app_urls: Mapping[str, str]
    owner_urls: Mapping[str, str]

    def app_role(self, service: str) -> str:
        """The role that the service works with, which the migrations grant to."""
        return self.app_urls[service].partition("://")[2].partition("@")[0].partition(":")[0]


@dataclass(frozen=True)
class Broker:
    """NATS: a URL per service and the administrator's."""

    urls: Mapping[str, str]
    admin_url: str


def as_environment(databases: Databases, broker: Broker) -> dict[str, str]:
    """The variables that name these servers, for a process that works on all of them."""
    told = {"HRSS_NATS_ADMIN_URL": broker.admin_url}
    for service in SERVICES:
        told[f"HRSS_{service.upper()}_DATABASE_URL"] = databases.app_urls[service]
        told[f"HRSS_{service.upper()}_DATABASE_OWNER_URL"] = databases.owner_urls[service]
        told[f"HRSS_{service.upper()}_NATS_URL"] = broker.urls[service]
    return told


def databases_from(environ: Mapping[str, str]) -> Databases | None:
    """The real databases that the environment names; None when it names none.

    Raises:
        ServerUnknown: It names some.
    """
    names = {
        (service, kind): f"HRSS_{service.upper()}_{kind}"
        for service in SERVICES
        for kind in ("DATABASE_URL", "DATABASE_OWNER_URL")
    }
    urls = {name: given(environ, name) for name in names.values()}
    missing = sorted(name for name, url in urls.items() if not url)
    if len(missing) == len(names):
        return None
    if missing:
        raise ServerUnknown(f"缺少变量 {'、'.join(missing)} / these variables are missing: {', '.join(missing)}")
    return Databases(
        app_urls={service: urls[names[service, "DATABASE_URL"]] for service in SERVICES},
        owner_urls={service: urls[names[service, "DATABASE_OWNER_URL"]] for service in SERVICES},
    )


def broker_from(environ: Mapping[str, str]) -> Broker | None:
    """The real NATS that the environment names; None when it names none.

    Raises:
        ServerUnknown: A service is left without one.
    """
    common = given(environ, "HRSS_NATS_URL")
    urls = {service: given(environ, f"HRSS_{service.upper()}_NATS_URL") or common for service in SERVICES}
    admin_url = given(environ, "HRSS_NATS_ADMIN_URL") or common
    if not any((*urls.values(), admin_url)):
        return None
    if not all((*urls.values(), admin_url)):
        raise ServerUnknown(
            "NATS 地址不全：需要 HRSS_NATS_URL，或各服务的 HRSS_<服务>_NATS_URL 加 HRSS_NATS_ADMIN_URL / "
            "NATS URLs are missing: HRSS_NATS_URL, or HRSS_<SERVICE>_NATS_URL for each service and HRSS_NATS_ADMIN_URL"
        )
    return Broker(urls, admin_url)


def given(environ: Mapping[str, str], name: str) -> str:
    """A variable, or the content of the file that `<name>_FILE` points to; empty when there is neither.

    Raises:
        ServerUnknown: The file cannot be read.
    """
    path = environ.get(f"{name}_FILE", "")
    if environ.get(name) or not path:
        return environ.get(name, "")
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ServerUnknown(f"无法读取 {name}_FILE 指向的文件 / the file of {name}_FILE cannot be read") from None


def embedded_databases(keys: Keys, port: int) -> Databases:
    """The databases of the embedded PostgreSQL on that port."""

    def url(service: str, kind: str) -> str:
        return postgres.connection_url(keys, f"{service}_{kind}", service, port)

    return Databases(
        {service: url(service, "app") for service in SERVICES}, {service: url(service, "owner") for service in SERVICES}
    )


def embedded_broker(keys: Keys, port: int) -> Broker:
    """The embedded nats-server on that port."""
    urls = {service: nats.connection_url(keys, service, port) for service in SERVICES}
    return Broker(urls, nats.connection_url(keys, nats.ADMIN, port))


def databases(home: Home, environ: Mapping[str, str]) -> Databases:
    """The databases of the platform that runs, for commands beside it."""
    return databases_from(environ) or _running(home, "postgres", embedded_databases)


def broker(home: Home, environ: Mapping[str, str]) -> Broker:
    """The broker of the platform that runs, for commands beside it."""
    return broker_from(environ) or _running(home, "nats", embedded_broker)


def _running(home: Home, process: str, build: Callable[[Keys, int], Found]) -> Found:
    port = read_json(home.ready_file(process)).get("port")
    if home.state() is None or not isinstance(port, int):
        raise ServerUnknown("没有正在运行的平台，请先 hrss up / no platform runs here: start it with hrss up")
    return build(Keys(home.keys), port)
