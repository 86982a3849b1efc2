"""Child processes that never outlive their parent.

Every process of the embedded platform is started here: in a session of its own (Ctrl-C reaches only the supervisor,
which stops its children in order) and with a parent-death signal (`kill -9` of the supervisor leaves no orphan).
The kernel ties that signal to the *thread* that started the child, so start children from the main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int = subprocess.DEVNULL,
    cwd: str | Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    drop_privileges: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that ends with this process; stdout and stderr go to `output`, stdin is empty."""
    parent = os.getpid()

    def prepare() -> None:
        os.setsid()
        if drop_privileges:
            drop_privileges()
        die_with(parent, death_signal)  # after setuid, which clears the flag

    return subprocess.Popen(  # noqa: S603 - the program names come from this package, never from outside
        list(argv),
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        # There is no other way to set the death signal before exec. The supervisor has one thread; in a test that has
        # more, nothing between fork and exec takes a lock that another thread may hold.
        preexec_fn=prepare,  # noqa: PLW1509 - see above
    )


def die_with(parent: int, death_signal: signal.Signals) -> None:
    """Ask the kernel to signal this process when `parent` is gone; called between fork and exec."""
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # the parent died before the flag stood
        os._exit(1)


def stop(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> bool:
    """Send each signal and wait its seconds until the child ends; True when no SIGKILL was needed."""
    for number, seconds in steps:
        if process.poll() is not None:
            return True
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return True
    if process.poll() is not None:
        return True
    process.kill()
    process.wait()
    return False
