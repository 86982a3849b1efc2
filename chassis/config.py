"""Settings: one frozen model per kind of process, read once from HRSS_* variables.

A wrong or unknown variable stops the start with one line that names it; the line never shows a value, because the value
may be a password. Secrets come from the environment or, as `HRSS_<NAME>_FILE`, from a file.
"""

from __future__ import annotations

import os
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "HRSS_"

# Every variable that some process of the platform reads. They share one environment, so a name that this process does
# not use is no mistake, while a name that nobody knows is one. A new setting gets its line here.
KNOWN = frozenset(
    (
        "HRSS_ENV",
        "HRSS_HOME",
        "HRSS_SERVICE",
        "HRSS_LOG_LEVEL",
        "HRSS_ROLES",
        "HRSS_READY_FILE",
        "HRSS_SHUTDOWN_DELAY_SECONDS",
        "HRSS_DATABASE_URL",
        "HRSS_DATABASE_OWNER_URL",
        "HRSS_NATS_URL",
        "HRSS_OTLP_ENDPOINT",
        "HRSS_TRACE_RATIO",
        "HRSS_RPC_HOST",
        "HRSS_ALLOW_PLAINTEXT_RPC",
        "HRSS_RPC_PORT",
        "HRSS_METRICS_PORT",
        "HRSS_INSTANCE",
        "HRSS_KEYS_DIR",
        "HRSS_FILES_DIR",
        "HRSS_AUDIT_DIR",
        "HRSS_UNSEALED_PER_HOUR",
        "HRSS_POLICY_DIR",
        "HRSS_POLICY_LOCAL",
        "HRSS_TIMETABLE",
        "HRSS_TIMETABLE_ENTRIES",
        "HRSS_TIMETABLE_MAKER",
        "HRSS_TEST_OFF",
        "HRSS_TEST_CRASH",
        "HRSS_HTTP_HOST",
        "HRSS_HTTP_PORT",
        "HRSS_ENROLLMENT_ADDRESS",
        "HRSS_BENEFITS_ADDRESS",
        "HRSS_TRAINING_ADDRESS",
        "HRSS_CARD_ADDRESS",
        "HRSS_ALLOW_SOFT_KEYS",
        "HRSS_CARD_CRYPTO_PROFILE",
        "HRSS_CARD_KEY_PROVIDER",
        "HRSS_CARD_PKCS11_MODULE",
        "HRSS_CARD_PKCS11_TOKEN",
        "HRSS_CARD_PKCS11_PIN",
        "HRSS_CARD_TRUST_ROOT",
        "HRSS_CARD_STATUS_URI",
        "HRSS_CARD_ISSUER",
        "HRSS_CARD_MESSAGES_URL",
        "HRSS_CARD_NATIONAL_URL",
        "HRSS_NATIONAL_PORT",
        "HRSS_PAYROLL_JUMP_PERCENT",
        "HRSS_PAYROLL_SHARED_WARN",
        "HRSS_PAYROLL_SHARED_BLOCK",
        "HRSS_PAYMENT_TRIES",
        "HRSS_IDP_ISSUER",
        "HRSS_IDP_URL",
        "HRSS_IDP_HOST",
        "HRSS_IDP_PORT",
        "HRSS_GATEWAY_URL",
        "HRSS_ALLOW_PRIVATE_NETWORK",
        "HRSS_DEVICES_URL",
        "HRSS_DEVICES_PORT",
        "HRSS_TRACES_URL",
        "HRSS_TRACES_HOST",
        "HRSS_TRACES_PORT",
        "HRSS_TRACES_HTTP_PORT",
        "HRSS_SIMULATORS_PORT",
        "HRSS_ADMIN_DATABASE_URL",
        "HRSS_NATS_ADMIN_URL",
        "HRSS_NATS_REPLICAS",
        "HRSS_PG_PORT",
        "HRSS_NATS_PORT",
        "HRSS_ENROLLMENT_DATABASE_URL",
        "HRSS_ENROLLMENT_DATABASE_OWNER_URL",
        "HRSS_ENROLLMENT_NATS_URL",
        "HRSS_BENEFITS_DATABASE_URL",
        "HRSS_BENEFITS_DATABASE_OWNER_URL",
        "HRSS_BENEFITS_NATS_URL",
        "HRSS_TRAINING_DATABASE_URL",
        "HRSS_TRAINING_DATABASE_OWNER_URL",
        "HRSS_TRAINING_NATS_URL",
        "HRSS_CARD_DATABASE_URL",
        "HRSS_CARD_DATABASE_OWNER_URL",
        "HRSS_CARD_NATS_URL",
        "HRSS_GATEWAY_DATABASE_URL",
        "HRSS_GATEWAY_DATABASE_OWNER_URL",
        "HRSS_GATEWAY_NATS_URL",
    )
)

Role = Literal["rpc", "relay", "consumer", "jobs"]
ROLES: tuple[Role, ...] = ("rpc", "relay", "consumer", "jobs")


class Settings(BaseSettings):
    """What every service needs to know about its surroundings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    needed_in_prod: ClassVar[tuple[str, ...]] = ("database_url", "nats_url")

    env: Literal["dev", "test", "prod"] = Field(
        default="dev", description="dev, test or prod; prod refuses everything for development."
    )
    service: str = Field(
        default="", pattern="^[a-z][a-z0-9_]{0,30}$|^$", description="Name of the service; set by its command."
    )
    instance: str = Field(default="", description="Name of this process in traces; made up when empty.")
    database_url: str = Field(default="", repr=False, description="PostgreSQL URL with the app role.")
    database_owner_url: str = Field(
        default="", repr=False, description="PostgreSQL URL with the owner role; migrations only."
    )
    nats_url: str = Field(
        default="", repr=False, description="URL of NATS with the service's user; empty: nothing is sent or heard."
    )
    otlp_endpoint: str = Field(default="", description="Address of the OTLP gRPC collector; empty: no traces are sent.")
    trace_ratio: float = Field(default=1.0, ge=0, le=1, description="Share of new traces that are recorded.")
    rpc_host: str = Field(default="127.0.0.1", description="Address that the gRPC server listens on.")
    allow_plaintext_rpc: Literal["", "yes"] = Field(
        default="", description="yes: a mesh or proxy encrypts the gRPC between machines, which itself is plaintext."
    )
    rpc_port: int = Field(default=0, ge=0, le=65535, description="Port of the gRPC server; 0 takes a free one.")
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Port of /metrics, /healthz and /readyz; 0 takes a free one."
    )
    keys_dir: Path = Field(default=Path("var/keys"), description="Directory of key files, mode 0700.")
    files_dir: Path = Field(default=Path("var/files"), description="Directory of uploaded files, sealed.")
    audit_dir: Path | None = Field(
        default=None, description="Directory of signed audit checkpoints; empty: audit, beside the uploaded files."
    )
    card_crypto_profile: Literal["I", "G"] = Field(
        default="I", description="I: ES256, SHA-256, AES-256-GCM; G: SM2, SM3, SM4-GCM; the audit uses its hash."
    )
    unsealed_per_hour: int = Field(
        default=200, ge=1, description="Sealed records of persons that one human of the staff may open within an hour."
    )
    policy_dir: Path | None = Field(
        default=None, description="Directory of the policy files; empty: those of this release."
    )
    policy_local: Path | None = Field(default=None, description="Local value file for parameters that are not public.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    roles: str = Field(default=",".join(ROLES), description="Parts of the service that this process runs.")
    ready_file: Path | None = Field(
        default=None, description="File that receives pid and ports as JSON when the process is ready."
    )
    shutdown_delay_seconds: float | None = Field(
        default=None, ge=0, le=30, description="Wait between 'not ready' and 'closed'; empty: 2 in prod, 0 elsewhere."
    )
    timetable: Literal["", "on", "off"] = Field(
        default="", description="Whether recurring work starts by itself; empty: on, but off with HRSS_ENV=test."
    )
    timetable_entries: str = Field(
        default="", description="Entries of the timetable to switch on, by name; with a minus before it, off."
    )
    timetable_maker: str = Field(
        default="", description="Natural person in whose name the timetable prepares what another person approves."
    )
    test_off: str = Field(
        default="", description="Protections to switch off, for negative controls; only with HRSS_ENV=test."
    )
    test_crash: str = Field(default="", description="Step at which the process kills itself; only with HRSS_ENV=test.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from `read` alone: it knows unknown names and secret files, and a test gets what it gave."""
        return (init_settings,)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a setting that the list of all variables does not have."""
        super().__pydantic_init_subclass__(**kwargs)
        if missing := {variable(name) for name in cls.model_fields} - KNOWN:
            raise TypeError(f"add to KNOWN in chassis/config.py: {', '.join(sorted(missing))}")

    @property
    def is_prod(self) -> bool:
        """Whether real people's data is behind this process."""
        return self.env == "prod"

    def has_role(self, role: Role) -> bool:
        """Whether this process runs that part of the service."""
        return role in _names(self.roles)

    def is_off(self, protection: str) -> bool:
        """Whether a protection is switched off for a negative control."""
        return protection in _names(self.test_off)

    @property
    def has_timetable(self) -> bool:
        """Whether recurring work starts by itself."""
        return self.timetable == "on" or (not self.timetable and self.env != "test")

    @property
    def audit_files(self) -> Path:
        """Where checkpoints of the audit are written."""
        return self.audit_dir or self.files_dir.parent / "audit"

    @property
    def shutdown_delay(self) -> float:
        """Seconds between 'not ready' and 'closed', in which balancers look away."""
        default = 2.0 if self.is_prod else 0.0
        return default if self.shutdown_delay_seconds is None else self.shutdown_delay_seconds

    def problems(self) -> list[tuple[str, str, str]]:
        """What fits no single field, as (variable, Chinese, English). Subclasses add theirs."""
        found = []
        if unknown := _names(self.roles) - set(ROLES):
            names = ", ".join(sorted(unknown))
            found.append(("HRSS_ROLES", f"没有这样的部分：{names}", f"no such part: {names}"))
        if self.test_off and self.env != "test":
            found.append(("HRSS_TEST_OFF", "只能用于 HRSS_ENV=test", "only with HRSS_ENV=test"))
        if self.is_prod:
            found += [
                (variable(name), "生产环境必须设置", "required in production")
                for name in self.needed_in_prod
                if not getattr(self, name)
            ]
            found += self.plaintext_problems({"HRSS_RPC_HOST": self.rpc_host})
        if self.test_crash and self.env != "test":
            found.append(("HRSS_TEST_CRASH", "只能用于 HRSS_ENV=test", "only with HRSS_ENV=test"))
        return found

    def plaintext_problems(self, hosts: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """Refuse gRPC that would leave this machine in plaintext, in production; `hosts` by variable, without ports."""
        if not self.is_prod or self.allow_plaintext_rpc:
            return []
        zh = "gRPC 为明文，不得离开本机；若由服务网格或代理加密，请设 HRSS_ALLOW_PLAINTEXT_RPC=yes"
        en = "gRPC is plaintext and stays on the loopback; HRSS_ALLOW_PLAINTEXT_RPC=yes if a mesh or proxy encrypts it"
        return [(name, zh, en) for name, host in hosts.items() if not is_loopback(host)]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name counts as elsewhere unless it is localhost."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


S = TypeVar("S", bound=Settings)


def load(kind: type[S], *, service: str, environ: Mapping[str, str] | None = None) -> S:
    """Read the settings of this process, or end it (exit code 2) with one line for each wrong variable."""
    try:
        return read(kind, service=service, environ=os.environ if environ is None else environ)
    except SettingsWrong as error:
        sys.stderr.write("".join(f"{line}\n" for line in error.lines))
        raise SystemExit(2) from None


class SettingsWrong(Exception):  # noqa: N818 - read by people as a sentence
    """The environment does not describe a process that may start; `lines` say why, in both languages."""

    def __init__(self, problems: list[tuple[str, str, str]]) -> None:
        self.lines = [f"设置有误 {name}：{zh} / wrong setting {name}: {en}" for name, zh, en in problems]
        super().__init__("; ".join(self.lines))


def read(kind: type[S], *, service: str, environ: Mapping[str, str]) -> S:
    """Read the settings of this process.

    Raises:
        SettingsWrong: A variable is unknown, malformed, or not allowed in this environment.
    """
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    known = KNOWN | {f"{name}_FILE" for name in KNOWN}
    if unknown := sorted(given.keys() - known):
        raise SettingsWrong([(name, "没有这个变量", "no such variable") for name in unknown])
    values: dict[str, Any] = {"service": service}
    for field in kind.model_fields:
        if field not in values and (text := _value(given, variable(field))) is not None:
            values[field] = text
    try:
        settings = kind.model_validate(values)
    except ValidationError as error:
        raise SettingsWrong(
            [(variable(str(item["loc"][0])), "值不正确", item["msg"]) for item in error.errors(include_input=False)]
        ) from None
    if problems := settings.problems():
        raise SettingsWrong(problems)
    return settings


def variable(field: str) -> str:
    """The variable that sets a field."""
    return PREFIX + field.upper()


def _value(given: Mapping[str, str], name: str) -> str | None:
    """The text of a variable or of the file that it points to; an empty text counts as not given."""
    if path := given.get(f"{name}_FILE"):
        if name in given:
            raise SettingsWrong([(name, f"与 {name}_FILE 同时给出", f"given together with {name}_FILE")])
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            raise SettingsWrong([(f"{name}_FILE", "无法读取该文件", "the file cannot be read")]) from None
    return given.get(name) or None


def _names(text: str) -> set[str]:
    return {part.strip() for part in text.split(",") if part.strip()}
