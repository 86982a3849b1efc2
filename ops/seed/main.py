"""`hrss seed`: says what it makes, makes it in worker processes, shows how far it is, and says what it made.

Sealing is work for the processor, so batches are drawn and written by as many processes as there are cores. A run that
was stopped is simply repeated.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pwd
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chassis import clocks
from chassis.config import Settings
from chassis.principal import Principal
from ops.seed import rows
from ops.seed.people import PERSONS_MAX, Plan
from ops.seed.rows import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

BATCH_PERSONS = 5_000  # two seconds of work, and what a stop can cost
BATCH_PERSONS_WITH_FACTS = 1_000


class SeedRefused(Exception):  # noqa: N818 - read as a sentence
    """Nothing is made; the text says why."""


def settings_of(database_url: str, keys_dir: Path, *, env: str) -> Settings:
    """The settings of enrolment for whoever makes a city.

    Raises:
        SeedRefused: In production.
    """
    if env == "prod":
        raise SeedRefused("正式环境不生成人员 / production takes no invented people")
    return Settings(env="dev", service="enrollment", database_url=database_url, keys_dir=keys_dir)


def seed(plan: Plan, settings: Settings, console: Console, *, with_facts: bool = False, processes: int = 0) -> int:
    """Make a city; how many people were added. The console hears what is made, how far it is and what was made.

    Raises:
        SeedRefused: Too many or too few people, or the register holds a city of another seed.
    """
    if not 0 < plan.persons <= PERSONS_MAX:
        raise SeedRefused(f"1 至 {PERSONS_MAX:,} 人 / between 1 and {PERSONS_MAX:,} persons")
    account = f"os|{pwd.getpwuid(os.getuid()).pw_name}"
    principal = Principal(subject=account, client="hrss", roles=frozenset({"OPERATOR"}), natural_person=account)
    order = Batch(plan, settings, principal, clocks.business_day(), with_facts=with_facts)
    try:
        asyncio.run(rows.check(order))
    except rows.OtherCity as other:
        raise SeedRefused(
            f"登记簿里已有另一座城 {other}，请使用同一种子或另一个数据目录 / "
            f"the register holds another city, {other}: use its seed or another home"
        ) from None
    console.print(_announced(plan, with_facts=with_facts), highlight=False)
    begun = time.perf_counter()
    employers = asyncio.run(rows.write_employers(order))
    added = _write(order, console, processes or len(os.sched_getaffinity(0)))
    seconds = time.perf_counter() - begun
    console.print(
        f"{added:,} 人、{employers:,} 个单位，{seconds:.1f} 秒；原有 {plan.persons - added:,} 人不变 / "
        f"{added:,} persons and {employers:,} employers in {seconds:.1f} s; "
        f"{plan.persons - added:,} were there and are left alone",
        highlight=False,
    )
    return added


def _write(order: Batch, console: Console, processes: int) -> int:
    added = 0
    columns = (TextColumn("人 / persons"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=order.plan.persons)
        # Fresh processes: a forked one would share connections and threads of this one.
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            batches = list(_batches(order))
            for batch, count in zip(batches, pool.map(write_batch, batches), strict=True):
                added += count
                progress.advance(task, batch.last - batch.first)
    return added


def write_batch(batch: Batch) -> int:
    """Write one batch in this process."""
    return asyncio.run(rows.write_people(batch))


def _batches(order: Batch) -> Iterator[Batch]:
    size = BATCH_PERSONS_WITH_FACTS if order.with_facts else BATCH_PERSONS
    for first in range(0, order.plan.persons, size):
        yield replace(order, first=first, last=min(first + size, order.plan.persons))


def _announced(plan: Plan, *, with_facts: bool) -> str:
    year = plan.first_month.year - 1
    lines = [
        f"种子 {plan.seed}，{plan.persons:,} 人；身份号码属于 990000（无人使用），不含灵活就业和居民",
        f"自 {plan.first_month} 起参保，个人账户结转至 {year} 年",
        f"seed {plan.seed}, {plan.persons:,} persons: numbers of region 990000, which belongs to nobody;",
        f"insured from {plan.first_month} on, accounts closed through {year}; no flexible workers and no residents",
    ]
    if plan.history_years:
        lines.append(f"每 {plan.history_every} 人中一人带有最多 {plan.history_years} 年缴费月")
        lines.append(f"one person of {plan.history_every} brings in up to {plan.history_years} years of months")
    lines += (
        ["其他业务会收到这些人员的事件 / the other services hear of all of them"]
        if with_facts
        else [
            "不发事件：待遇、培训、社保卡不认识这些人员；需要时请加 --facts",
            "no facts are said: benefits, training and cards do not know these people; --facts tells them",
        ]
    )
    return "\n".join(lines)
