"""Children end with their parent, and stop in the order of the signals given."""

from __future__ import annotations

import signal
import subprocess
import sys

from ops import children
from tests.ops.conditions import alive, until

SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [
    sys.executable,
    "-uc",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); signal.pause()",
]


def test_child_is_gone_after_its_parent_was_killed() -> None:
    program = f"from ops import children; c = children.start({SLEEPER!r}); print(c.pid, flush=True); c.wait()"
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert alive(child)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    until(lambda: not alive(child), what="the child's end")


def test_orderly_stop_needs_no_kill() -> None:
    child = children.start(SLEEPER)

    assert children.stop(child, (signal.SIGTERM, 5.0))
    assert child.returncode == -signal.SIGTERM


def test_child_that_ignores_the_signal_is_killed() -> None:
    child = children.start(STUBBORN, output=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"up\n"

    assert not children.stop(child, (signal.SIGTERM, 0.1))
    assert child.returncode == -signal.SIGKILL
    child.stdout.close()


def test_child_leads_its_own_session_so_that_ctrl_c_does_not_reach_it() -> None:
    program = "import os; print(os.getsid(0) == os.getpid())"
    child = children.start([sys.executable, "-c", program], output=subprocess.PIPE)

    output, _ = child.communicate(timeout=10)

    assert output == b"True\n"
