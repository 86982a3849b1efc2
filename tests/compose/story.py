"""`make compose-test`: the whole platform in containers, and the working life played on it from outside.

Builds, starts, plays through the published port while a service and NATS are killed and PostgreSQL is restarted, looks
for anything lost, takes all containers away and starts again on the kept volumes, plays a second life, and removes
everything. Exit code 0 when all of it held, 1 when something did not, 3 when there is no Docker engine.
"""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import httpx
from rich.console import Console

from ops.client import Problem
from ops.demo.main import main as demo
from ops.demo.stage import Stage
from ops.demo.story import play
from ops.home import Home
from tests.compose.containers import CommandFailed, Containers, Steps

if TYPE_CHECKING:
    from ops.client import Json
    from ops.demo.stage import Platform

NO_ENGINE = 3
# What happens to whom, once the story has made that many comparisons: spread over its first year.
DISTURBANCES = ((4, "kill", "enrollment"), (7, "kill", "nats"), (10, "restart", "postgres"))
PAUSE_SECONDS = 0.05


def main() -> int:
    """Run the test; the exit code."""
    if missing := no_engine():
        sys.stderr.write(f"not run: {missing}\n")
        return NO_ENGINE
    containers, steps = Containers(f"hrss-test-{os.getpid()}"), Steps()
    failure = ""
    try:
        with tempfile.TemporaryDirectory(prefix="hrss-compose-") as scratch:
            rehearse(containers, steps, Path(scratch).resolve())
    except (CommandFailed, AssertionError, Problem, TimeoutError, httpx.HTTPError, OSError) as error:
        failure = f"{type(error).__name__}: {error}"
        sys.stdout.write(last_words(containers))
    finally:
        containers.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
        steps.done("down --volumes")
    if remains := containers.remains():
        failure = failure or f"left behind: {', '.join(remains)}"
    sys.stdout.write(f"FAILED: {failure}\n" if failure else "PASSED: compose-test\n")
    return 1 if failure else 0


def no_engine() -> str:
    """Why there is no engine to work with; empty when there is one."""
    try:
        for words in (["docker", "info"], ["docker", "compose", "version"]):
            if subprocess.run(words, capture_output=True, check=False).returncode:
                return f"`{' '.join(words)}` fails here"
    except FileNotFoundError:
        return "no docker command here"
    return ""


def rehearse(containers: Containers, steps: Steps, scratch: Path) -> None:
    """Everything between build and removal."""
    containers.compose("build")
    steps.done("build")
    containers.compose("up", "--detach", "--wait")
    steps.done("up --wait, first start")
    hardened(containers)
    passwords = containers.secrets()
    assert len(passwords) > len(containers.ports)
    containers.copy_keys(scratch / "keys")
    platform = containers.platform(scratch / "keys")
    log_in(platform)
    steps.done("limits and rights as written, a browser logs in")
    pension = asyncio.run(disturbed(containers, platform))
    steps.done(f"story with {', '.join(f'{how} {whom}' for _, how, whom in DISTURBANCES)}")
    containers.settle()
    containers.agree()
    steps.done("everything arrived, nothing differs")
    in_clear(containers, passwords)
    containers.compose("restart")
    containers.compose("up", "--detach", "--wait")
    steps.done("restart of everything")
    containers.compose("down", "--timeout", "20")
    containers.compose("up", "--detach", "--wait")
    steps.done("down, up --wait on kept volumes")
    assert asyncio.run(pension_of(platform, *pension[:2])) == pension[2], "the pension differs after the restart"
    environ = {
        "HRSS_GATEWAY_URL": platform.gateway_url,
        "HRSS_IDP_ISSUER": platform.issuer,
        "HRSS_TRACES_URL": f"{platform.traces_url}/traces/{{trace_id}}",
        "HRSS_KEYS_DIR": str(platform.keys_dir),
    }
    assert demo(Home(scratch), environ, run="compose-2") == 0, "the second story differs"
    containers.settle()
    containers.agree()
    steps.done("second story, everything arrived, nothing differs")
    in_clear(containers, passwords)


async def disturbed(containers: Containers, platform: Platform) -> tuple[str, str, Json]:
    """Play while containers die; persona, id and statement of the pension that was determined."""
    async with httpx.AsyncClient(timeout=30) as http:
        stage = Stage(platform, "compose-1", http, Console(file=io.StringIO(), width=140))
        story = asyncio.create_task(play(stage))
        for count, how, whom in DISTURBANCES:
            while len(stage.checks) < count and not story.done():
                await asyncio.wait({story}, timeout=PAUSE_SECONDS)
            if story.done():
                await story
                raise AssertionError(f"the story was over before {how} {whom}")
            await asyncio.to_thread(getattr(containers, how), whom)
        life = await story
        wrong = [check for check in stage.checks if not check.holds]
        assert not wrong, wrong
        retiree = life.cast.retiree
        citizen = await stage.citizen(retiree.name, retiree.id_no)
        statement = (await citizen.get(f"/v1/benefits/{life.pension_id}/calculation"))["statement"]
        subject = await stage.provider.add_persona(
            retiree.name,
            retiree.id_no,
            client_id="hrss-demo",
            secret=stage.keys.password("idp-client-hrss-demo"),
        )
    return subject, life.pension_id, statement


async def pension_of(platform: Platform, subject: str, pension_id: str) -> Json:
    """The statement of a pension, as the person sees it."""
    async with httpx.AsyncClient(timeout=30) as http:
        stage = Stage(platform, "compose-1", http, Console(file=io.StringIO()))
        citizen = stage.office.acting(stage.provider.persona(subject, acr=3))
        statement: Json = (await citizen.get(f"/v1/benefits/{pension_id}/calculation"))["statement"]
    return statement


def log_in(platform: Platform) -> None:
    """Log in as a browser does: it and the gateway reach the provider by two addresses and mean the same issuer."""
    with httpx.Client(timeout=30) as browser:
        away = browser.get(f"{platform.gateway_url}/login", params={"next": "/me"}).headers["location"]
        assert away.startswith(f"{platform.issuer}/authorize?"), away
        fields = dict(parse_qsl(urlsplit(away).query)) | {"persona": "staff-operator-1", "acr": "4"}
        back = browser.post(f"{platform.issuer}/authorize", data=fields).headers["location"]
        assert back.startswith(f"{platform.gateway_url}/login/callback?")
        arrived = browser.get(back)
        assert (arrived.status_code, arrived.headers["location"]) == (303, "/me")
        assert "hrss-session" in browser.cookies


def hardened(containers: Containers) -> None:
    """Check what the engine made of the limits and rights."""
    for container in containers.inspect():
        host, name = container["HostConfig"], container["Name"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"]), name
        assert host["Memory"] > 0, name
        assert host["PidsLimit"] > 0, name
        published = [binding["HostIp"] for bound in (host["PortBindings"] or {}).values() for binding in bound]
        assert set(published) <= {"127.0.0.1"}, name


def in_clear(containers: Containers, passwords: list[str]) -> None:
    """Check that no password stands in what the engine knows of a container, nor in a log."""
    seen = str(containers.inspect()) + containers.compose("logs", "--no-color")
    shown = sum(password in seen for password in passwords)
    assert not shown, f"{shown} of {len(passwords)} passwords can be read"


def last_words(containers: Containers) -> str:
    """States and the end of the logs, for whoever looks for the reason."""
    try:
        return containers.compose("ps", "--all") + containers.compose("logs", "--no-color", "--tail", "15")
    except CommandFailed as error:
        return f"{error}\n"


if __name__ == "__main__":
    sys.exit(main())
