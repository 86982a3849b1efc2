"""A platform in containers for a test: compose with a project of its own, and what a test asks of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ops.demo.stage import Platform
from ops.embedded.postgres import free_port
from ops.home import ROOT

if TYPE_CHECKING:
    from pathlib import Path

COMMAND_SECONDS = 900.0  # a first build on a slow line
# Runs in the operator's container, which has the URLs, with the tests of this checkout beside the product.
ORACLE = """
import asyncio, os
from ops.servers import databases_from
from tests.system.oracle import differences

found = asyncio.run(differences(lambda service: databases_from(os.environ).owner_urls[service]))
print("\\n".join(found) or "nothing differs")
raise SystemExit(1 if found else 0)
"""
SECRETS = "import pathlib; [print(p.read_text()) for p in pathlib.Path('/var/lib/hrss/keys').glob('*.password')]"


class CommandFailed(Exception):  # noqa: N818 - read as a sentence
    """A command ended with another code than 0; the text is its last words."""


@dataclass
class Containers:
    """`docker compose` on the file of this checkout, with ports and names that disturb nobody."""

    project: str
    ports: dict[str, int] = field(
        default_factory=lambda: {
            name: free_port() for name in ("HRSS_HTTP_PORT", "HRSS_IDP_PORT", "HRSS_TRACES_HTTP_PORT")
        }
    )

    def compose(self, *words: str) -> str:
        """Run a compose command; returns what it printed."""
        return run("docker", "compose", *words, env=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command; nothing of the caller's own settings reaches the platform."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HRSS_", "COMPOSE_"))}
        ports = {name: str(port) for name, port in self.ports.items()}
        return {**kept, **ports, "COMPOSE_PROJECT_NAME": self.project, "HRSS_VERSION": "test"}

    def platform(self, keys_dir: Path) -> Platform:
        """Where it is reached from outside."""
        gateway, issuer, traces = (f"http://127.0.0.1:{port}" for port in self.ports.values())
        return Platform(gateway, issuer, traces, keys_dir, ROOT / "policy")

    def copy_keys(self, target: Path) -> None:
        """Get the client secrets of the identity provider, as any partner has its own."""
        self.compose("cp", "idp:/var/lib/hrss/own", str(target))

    def kill(self, service: str) -> None:
        """Kill -9, and start the container again."""
        container = self.id(service)
        run("docker", "kill", "--signal", "KILL", container)
        run("docker", "start", container)

    def restart(self, service: str) -> None:
        """Stop in order, and start again."""
        run("docker", "restart", self.id(service))

    def id(self, service: str) -> str:
        """The container of a service."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self) -> list[dict[str, Any]]:
        """What the engine knows of every container."""
        ids = self.compose("ps", "--all", "--quiet").split()
        found: list[dict[str, Any]] = json.loads(run("docker", "inspect", *ids))
        return found

    def settle(self, seconds: int = 60) -> None:
        """Wait until everything that was said has been heard."""
        self.operate("hrss", "status", "--settled", "--wait", str(seconds))

    def agree(self) -> None:
        """Look for anything that is wrong across and inside the databases."""
        self.operate("python", "-c", ORACLE, mount=f"{ROOT / 'tests'}:/app/tests:ro")

    def secrets(self) -> list[str]:
        """Every password of the platform."""
        return self.operate("python", "-c", SECRETS).split()

    def operate(self, *words: str, mount: str = "") -> str:
        """Run a command in the operator's container."""
        volume = ["--volume", mount] if mount else []
        return self.compose("run", "--rm", "--no-deps", "--quiet-pull", "-T", *volume, "migrate", *words)

    def remains(self) -> list[str]:
        """Containers, volumes and networks that are left of this project."""
        mine = f"label=com.docker.compose.project={self.project}"
        containers = run("docker", "ps", "--all", "--quiet", "--filter", mine).split()
        volumes = run("docker", "volume", "ls", "--quiet", "--filter", mine).split()
        return containers + volumes + run("docker", "network", "ls", "--quiet", "--filter", mine).split()


def run(*words: str, env: dict[str, str] | None = None) -> str:
    """Run a command.

    Raises:
        CommandFailed: It ended with another code than 0.
    """
    done = subprocess.run(
        words, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS, errors="replace"
    )
    if done.returncode:
        raise CommandFailed(
            f"{' '.join(words[:4])} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
        )
    return done.stdout


class Steps:
    """Says each step with its seconds, for whoever reads the log of a build."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self._last = self.begun

    def done(self, what: str) -> None:
        """A step is done."""
        now = time.monotonic()
        sys.stdout.write(f"{now - self._last:7.1f} s  {what}\n")
        sys.stdout.flush()
        self._last = time.monotonic()
