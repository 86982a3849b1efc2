"""Which processes a platform on one machine consists of, and what each is told.

Everything here is decided before anything starts: servers (embedded or real), ports, environment of each process. The
environment of a process holds only what that process needs; passwords stand nowhere but there and in the key files.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.embedded.nats import EmbeddedNats
from ops.embedded.postgres import EmbeddedPostgres, free_port
from ops.home import ROOT, read_json, write_json
from ops.http import port_taken
from ops.secrets import Keys
from ops.servers import SERVICES, as_environment, broker_from, databases_from, embedded_broker, embedded_databases
from ops.units import Program, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.home import Home
    from ops.servers import Broker, Databases
    from ops.units import Unit

HOST = "127.0.0.1"
# The variable that sets each port and what it is otherwise; 0 takes a free one and keeps it over restarts.
PORTS = {
    "HRSS_HTTP_PORT": 8080,
    "HRSS_IDP_PORT": 8081,
    "HRSS_TRACES_HTTP_PORT": 8082,
    "HRSS_TRACES_PORT": 0,
    "HRSS_PG_PORT": 0,
    "HRSS_NATS_PORT": 0,
    "HRSS_DEVICES_PORT": 0,
}
BACKENDS = ("enrollment", "benefits", "training", "card")
STOP_LEVELS: tuple[tuple[tuple[str, ...], float], ...] = (
    # Together below 15 s, and in practice one: first who takes calls, then who answers them, then what they need.
    (("simulators", "gateway"), 5.0),
    (BACKENDS, 3.5),
    (("migrate", "idp", "traces", "national"), 1.0),
    (("nats",), 0.5),
    (("postgres",), 4.5),  # its last checkpoint; cut short, the next start recovers from the log
)
ASSUMED_VALUES = ROOT / "policy" / "local" / "demo.yaml"
# What only the supervisor reads; everything else that the user set goes to the processes, which know or refuse it.
_OWN = {
    "HRSS_PG_BIN",
    "HRSS_NATS_BIN",
    "HRSS_NATS_URL",
    "HRSS_NATS_ADMIN_URL",
    *PORTS,
    *(
        f"HRSS_{service.upper()}_{kind}"
        for service in SERVICES
        for kind in ("DATABASE_URL", "DATABASE_OWNER_URL", "NATS_URL")
    ),
}


class PortTaken(Exception):  # noqa: N818 - read as a sentence
    """A port is taken or none at all; the text names the variable that moves it."""


@dataclass(frozen=True)
class Platform:
    """The units of a platform and where people find it."""

    units: tuple[Unit, ...]
    gateway_url: str
    issuer: str
    traces_url: str
    notes: tuple[str, ...] = field(default=())


def plan(home: Home, environ: Mapping[str, str]) -> Platform:
    """Decide what runs, on which ports, with which settings.

    Raises:
        PortTaken: A well-known port is taken.
        ServerUnknown: The environment names some servers and not others.
    """
    keys = Keys(home.keys)
    ports = choose_ports(home, environ)
    databases, broker = databases_from(environ), broker_from(environ)
    units: list[Unit] = []
    common = _common(home, environ)
    gateway_url = f"http://{HOST}:{ports['HRSS_HTTP_PORT']}"
    issuer = environ.get("HRSS_IDP_ISSUER", "")
    if not issuer:
        issuer = f"http://{HOST}:{ports['HRSS_IDP_PORT']}"
        told = {"HRSS_IDP_PORT": str(ports["HRSS_IDP_PORT"])}
        units.append(_program("idp", "ops.idp", home, {**common, **told}))
    traces_url = ""
    if "HRSS_OTLP_ENDPOINT" not in environ:
        traces_url = f"http://{HOST}:{ports['HRSS_TRACES_HTTP_PORT']}"
        told = {
            "HRSS_TRACES_PORT": str(ports["HRSS_TRACES_PORT"]),
            "HRSS_TRACES_HTTP_PORT": str(ports["HRSS_TRACES_HTTP_PORT"]),
        }
        units.append(_program("traces", "ops.traces", home, {**common, **told}))
        common["HRSS_OTLP_ENDPOINT"] = f"http://{HOST}:{ports['HRSS_TRACES_PORT']}"
    if databases is None:
        databases = embedded_databases(keys, ports["HRSS_PG_PORT"])
        units.append(_postgres(home, keys, ports["HRSS_PG_PORT"]))
    if broker is None:
        broker = embedded_broker(keys, ports["HRSS_NATS_PORT"])
        units.append(_nats(home, keys, ports["HRSS_NATS_PORT"]))
    needs = tuple(unit.name for unit in units if unit.name in ("postgres", "nats"))
    units.append(_migrate(home, databases, broker, common, needs))
    if environ.get("HRSS_CARD_ISSUER") == "national" and not environ.get("HRSS_CARD_NATIONAL_URL"):
        port = environ.get("HRSS_NATIONAL_PORT") or str(free_port())
        units.append(_program("national", "ops.simulators.national", home, {**common, "HRSS_NATIONAL_PORT": port}))
        common["HRSS_CARD_NATIONAL_URL"] = f"http://{HOST}:{port}"
    devices_url = f"http://{HOST}:{ports['HRSS_DEVICES_PORT']}"
    if environ.get("HRSS_ENV", "dev") != "prod":
        common.setdefault("HRSS_CARD_MESSAGES_URL", devices_url)
        common.setdefault("HRSS_DEVICES_URL", devices_url)
    if traces_url:
        common.setdefault("HRSS_TRACES_URL", f"{traces_url}/traces/{{trace_id}}")
    units += _services(home, databases, broker, {**common, "HRSS_IDP_ISSUER": issuer}, ports)
    told = {"HRSS_IDP_ISSUER": issuer, "HRSS_GATEWAY_URL": gateway_url}
    told["HRSS_DEVICES_PORT"] = str(ports["HRSS_DEVICES_PORT"])
    units.append(_program("simulators", "ops.simulators", home, {**common, **told}, needs=("gateway",)))
    notes = (str(ASSUMED_VALUES.relative_to(ROOT)),) if common.get("HRSS_POLICY_LOCAL") == str(ASSUMED_VALUES) else ()
    return Platform(tuple(units), gateway_url, issuer, traces_url, notes)


def choose_ports(home: Home, environ: Mapping[str, str]) -> dict[str, int]:
    """A port for everything that listens: as set, else the one of the last time if it is still free."""
    file = home.run / "ports.json"
    before = read_json(file)
    chosen: dict[str, int] = {}
    for variable, default in PORTS.items():
        given = environ.get(variable) or str(default)
        if not given.isascii() or not given.isdigit():
            raise PortTaken(f"{variable}={given} 不是端口号 / {variable}={given} is no port number")
        wanted = int(given)
        if wanted and not is_free(wanted):
            raise PortTaken(port_taken(given, variable))
        chosen[variable] = wanted or _keep_or_draw(before.get(variable), chosen)
    for service in SERVICES:
        chosen[service] = _keep_or_draw(before.get(service), chosen)
    write_json(file, chosen)
    return chosen


def is_free(port: int) -> bool:
    """Whether the port can be taken now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _keep_or_draw(before: object, chosen: Mapping[str, int]) -> int:
    if isinstance(before, int) and before not in chosen.values() and is_free(before):
        return before
    while (port := free_port()) in chosen.values():
        pass
    return port


def _common(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """What every process is told: the user's own environment, and where things are."""
    told = {name: value for name, value in environ.items() if name not in _OWN}
    told |= {"HRSS_HOME": str(home.root), "HRSS_KEYS_DIR": str(home.keys), "HRSS_FILES_DIR": str(home.files)}
    told.setdefault("HRSS_ENV", "dev")
    # Python finds the sources whatever the directory, and output arrives in the log when it is made.
    told |= {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")])}
    if "HRSS_POLICY_LOCAL" not in environ and ASSUMED_VALUES.exists():
        told["HRSS_POLICY_LOCAL"] = str(ASSUMED_VALUES)
    return told


def _program(
    name: str, module: str, home: Home, environment: Mapping[str, str], *, needs: tuple[str, ...] = ()
) -> Program:
    return Program(name, [sys.executable, "-m", module], environment, home, needs)


def _postgres(home: Home, keys: Keys, port: int) -> Server:
    server = EmbeddedPostgres(home.root / "pg", keys=keys, databases=SERVICES, port=port, log=home.log("postgres"))
    return Server("postgres", server, home, stop_signal=signal.SIGINT)


def _nats(home: Home, keys: Keys, port: int) -> Server:
    server = EmbeddedNats(home.root / "nats", keys=keys, port=port, log=home.log("nats"))
    return Server("nats", server, home, stop_signal=signal.SIGTERM)


def _migrate(
    home: Home, databases: Databases, broker: Broker, common: Mapping[str, str], needs: tuple[str, ...]
) -> Program:
    told = {**common, **as_environment(databases, broker)}
    return Program("migrate", [sys.executable, "-m", "ops.migrate"], told, home, needs, is_step=True)


def _services(
    home: Home, databases: Databases, broker: Broker, common: Mapping[str, str], ports: Mapping[str, int]
) -> list[Unit]:
    addresses = {f"HRSS_{service.upper()}_ADDRESS": f"{HOST}:{ports[service]}" for service in BACKENDS}
    units: list[Unit] = []
    for service in SERVICES:
        told = {
            **common,
            "HRSS_DATABASE_URL": databases.app_urls[service],
            "HRSS_NATS_URL": broker.urls[service],
            "HRSS_RPC_PORT": str(ports[service]),
        }
        if service == "gateway":
            told |= {**addresses, "HRSS_HTTP_PORT": str(ports["HRSS_HTTP_PORT"])}
        units.append(_program(service, f"services.{service}", home, told, needs=("migrate",)))
    return units
