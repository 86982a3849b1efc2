"""The stage of the story: who logs in where, what is checked, and how it is told."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.client import Gateway, IdentityProvider, key_of
from ops.secrets import Keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import date
    from pathlib import Path

    import httpx
    from rich.console import Console

    from kernel.calendar import Month
    from kernel.money import Money
    from ops.client import Json

PURPOSE = "working life demonstration"
PATIENCE_SECONDS = 30.0  # a restart of anything takes less
WAIT_SECONDS = 60.0  # far more than any step takes; the story ends here instead of hanging


@dataclass(frozen=True)
class Platform:
    """Where a running platform is reached."""

    gateway_url: str
    issuer: str
    traces_url: str
    keys_dir: Path
    policy_dir: Path


@dataclass(frozen=True)
class Check:
    """One comparison of the story with the rules."""

    what_zh: str
    what_en: str
    expected: str
    got: str

    @property
    def holds(self) -> bool:
        """Whether the platform gave what the rules give."""
        return self.expected == self.got


@dataclass
class Stage:
    """Everything a scene needs."""

    platform: Platform
    run: str
    http: httpx.AsyncClient
    console: Console
    gateway_type: type[Gateway] = Gateway
    checks: list[Check] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = Keys(self.platform.keys_dir)
        self.provider = IdentityProvider(self.platform.issuer, self.http, PATIENCE_SECONDS)
        self.gateway = self.gateway_type(self.platform.gateway_url, self.http, patience=PATIENCE_SECONDS)
        self.office = self.partner("front-office")
        self.clerk = self.gateway.acting(self.provider.persona("staff-clerk-1"), PURPOSE)
        self.second = self.gateway.acting(self.provider.persona("staff-supervisor-1"), PURPOSE)
        self.operator = self.gateway.acting(self.provider.persona("staff-operator-1"))

    def partner(self, client_id: str) -> Gateway:
        """A partner system."""
        login = self.provider.partner(client_id, self.keys.password(f"idp-client-{client_id}"))
        return self.gateway.acting(login, PURPOSE)

    async def citizen(self, name: str, id_no: str, acr: int = 3) -> Gateway:
        """Log in one of the generated persons, usually with matched identity and a live person."""
        subject = await self.provider.add_persona(
            name, id_no, client_id="hrss-demo", secret=self.keys.password("idp-client-hrss-demo")
        )
        return self.gateway.acting(self.provider.persona(subject, acr=acr))

    def key(self, *parts: object) -> str:
        """Idempotency key of a step of this run: playing on after a stop repeats nothing."""
        return key_of(self.run, *parts)

    async def today(self, day: date) -> None:
        """Move the business day of the platform."""
        await self.operator.post("/v1/test-clock", {"business_date": day.isoformat()}, key=self.key("clock", day))

    def check(self, what_zh: str, what_en: str, expected: object, got: object) -> None:
        """Compare with the rules; the end of the story shows every comparison."""
        self.checks.append(Check(what_zh, what_en, str(expected), str(got)))

    def check_money(self, what_zh: str, what_en: str, expected: Money, got: str) -> None:
        """Compare an amount to the fen."""
        self.check(what_zh, what_en, expected, got)

    def say(self, zh: str, en: str) -> None:
        """Tell one step."""
        self.console.print(f"  [green]✓[/] {zh}  [dim]{en}[/]", highlight=False)

    def act(self, number: int, zh: str, en: str) -> None:
        """Tell that an act begins."""
        self.console.print(f"\n[bold cyan]第 {number} 幕  {zh}[/]  [dim]{en}[/]", highlight=False)


async def until(look: Callable[[], Awaitable[Json]], good: Callable[[Json], bool], what: str) -> Json:
    """Look until the answer is good.

    Raises:
        TimeoutError: it was not good for a minute.
    """
    limit, pause = time.monotonic() + WAIT_SECONDS, 0.02
    while True:
        answer = await look()
        if good(answer):
            return answer
        if time.monotonic() > limit:
            raise TimeoutError(f"waited {WAIT_SECONDS:.0f} s for {what}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def told(paid: Iterable[tuple[Month, str]]) -> str:
    """Months and amounts in one line: a run of months with the same amount is told once."""
    runs: list[list[tuple[Month, str]]] = []
    for month, amount in sorted(paid):
        if runs and runs[-1][-1] == (month.previous, amount):
            runs[-1].append((month, amount))
        else:
            runs.append([(month, amount)])
    return "; ".join(f"{run[0][0]} 起 {len(run)} × {run[0][1]}" for run in runs)
