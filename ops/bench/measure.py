"""What the kernel says of processes: time on the processor, memory that is their own share; and the machine."""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TICKS = os.sysconf("SC_CLK_TCK")
_AFTER_NAME = 11  # fields from the state on to utime
PROC = Path("/proc")


def cpu_seconds(pid: int) -> float:
    """Time that a process with all its threads has spent on the processor, to a hundredth of a second."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[_AFTER_NAME]) + int(fields[_AFTER_NAME + 1])) / _TICKS


def cpu_of(pid: int) -> float:
    """The same of a process and all below it; those that ended meanwhile are left out."""
    spent = 0.0
    for one in descendants(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            spent += cpu_seconds(one)
    return spent


def pss_mib(pid: int) -> float:
    """Proportional share of memory of a process (PSS): shared pages are divided by who shares them."""
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def peak_mib(pid: int) -> float:
    """The most memory that a process ever had at once (VmHWM); unlike `getrusage` it begins with the program."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def descendants(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for one in PROC.iterdir():
        if one.name.isdigit():
            try:
                parent = int((one / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(one.name))
    found = [pid]
    for one_pid in found:
        found += children.get(one_pid, [])
    return found


def machine() -> dict[str, str | int | float]:
    """The machine, and how busy it is at this moment."""
    names = [
        line.partition(":")[2].strip()
        for line in (PROC / "cpuinfo").read_text().splitlines()
        if line.startswith(("model name", "Model"))
    ]
    memory = int((PROC / "meminfo").read_text().split()[1]) / 1024 / 1024
    load = os.getloadavg()
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "python": platform.python_version(),
        "load_1_minute": round(load[0], 2),
        "load_5_minutes": round(load[1], 2),
    }


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)
