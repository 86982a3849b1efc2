"""The pages call the public API and nothing else: no service, no database, no part of the edge that decides."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from services.gateway.portal.texts import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

PORTAL = FOLDER.parent
# Of the rest of the platform: how the edge reads a language, where the provider is reached, settings. Sessions are the
# portal's own rows.
ALLOWED = {
    "services.gateway.edge.catalogue": {"Language"},
    "services.gateway.edge.identity": {"reached_at"},
    "services.gateway.edge.problems": {"language_of"},
    "services.gateway.settings": {"GatewaySettings"},
}
SESSIONS = {"chassis.transaction", "chassis.database", "chassis.principal"}


@pytest.mark.parametrize("path", sorted(PORTAL.rglob("*.py")), ids=lambda path: str(path.relative_to(PORTAL)))
def test_a_page_reaches_services_through_the_public_api_alone(path: Path) -> None:
    for module, names in imports(path):
        if module.startswith("services.gateway.portal"):
            continue
        if module in ALLOWED:
            assert names <= ALLOWED[module], f"{module}: {names}"
            continue
        assert not module.startswith(("services.", "hrss.", "ops.", "google.", "grpc")), module
        if path.name not in {"sessions.py", "portal.py"}:
            assert module not in SESSIONS, module


def test_pages_of_a_group_do_not_import_another_group() -> None:
    groups = {path.parent.name for path in PORTAL.glob("*/__init__.py")}
    for group in groups:
        others = tuple(f"services.gateway.portal.{one}" for one in groups - {group})
        for path in (PORTAL / group).rglob("*.py"):
            assert not any(module.startswith(others) for module, _ in imports(path)), path


def imports(path: Path) -> list[tuple[str, set[str]]]:
    """What a file imports; `from chassis import transaction` counts as the module chassis.transaction."""
    found: list[tuple[str, set[str]]] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, set()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {alias.name for alias in node.names}
            found.append((node.module, names))
            found += [(f"{node.module}.{name}", set()) for name in names if node.module == "chassis"]
    return found
