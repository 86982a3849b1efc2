"""Every reason that the platform can refuse with, found in its sources: the contract, and each raise in the code.

python tools/reasons.py            # reasons, each with the places it comes from
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from kernel.errors import DomainError  # noqa: E402 - the path is set up first
from services.gateway.edge.contract import routes  # noqa: E402 - the same

ROOMS = ("kernel", "chassis", "services")
KINDS = frozenset(kind.__name__ for kind in DomainError.__subclasses__())
# The first argument of these is a reason, the second of Violation and Fault.
FIRST = KINDS | {"Wrong"}
SECOND = frozenset({"Violation", "Fault", "add"})
_REASON = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|INTERNAL|CANCELLED|UNIMPLEMENTED", re.ASCII)


def from_contract() -> dict[str, set[str]]:
    """Reasons that RPCs declare."""
    found: dict[str, set[str]] = {}
    for route in routes():
        for reason in route.problems:
            found.setdefault(reason, set()).add(route.descriptor.name)
    return found


def from_code() -> dict[str, set[str]]:
    """Reasons that the code raises, or names where an error is made, with the files."""
    found: dict[str, set[str]] = {}
    for path, reason, _ in _raised():
        found.setdefault(reason, set()).add(str(path.relative_to(ROOT)))
    return found


def kinds() -> dict[str, set[str]]:
    """The kinds of error that each reason is raised as."""
    found: dict[str, set[str]] = {}
    for _, reason, kind in _raised():
        if kind in KINDS:
            found.setdefault(reason, set()).add(kind)
    return found


@functools.cache  # several questions are asked of the same sources
def _raised() -> tuple[tuple[Path, str, str], ...]:
    sources = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts]
    return tuple((path, reason, kind) for path in sources for reason, kind in _in_source(path.read_text("utf-8")))


def _in_source(text: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            place = 0 if name in FIRST else 1 if name in SECOND else None
            if place is not None and len(node.args) > place:
                found |= {(reason, name) for reason in _constants(node.args[place])}
    return found


def _constants(node: ast.expr) -> set[str]:
    """A literal reason, also inside a choice ("A" if x else "B") or a default (table.get(x, "A"))."""
    return {
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and _REASON.fullmatch(one.value)
    }


if __name__ == "__main__":
    for reason, places in sorted((from_contract() | from_code()).items()):
        sys.stdout.write(f"{reason}: {', '.join(sorted(places))}\n")
