"""Mistakes paid for once: small checks over the source itself."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("kernel", "chassis", "services", "ops", "proto", "tools", "tests")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
LAW = [
    path
    for path in SOURCES
    if path.is_relative_to(ROOT / "kernel")
    or (path.is_relative_to(ROOT / "services") and ("domain" in path.parts or path.name in {"domain.py", "policy.py"}))
]
DECISIONS = LAW + [path for path in SOURCES if "operations" in path.parts or path.name == "operations.py"]
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time")}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", LAW, ids=name_of)
def test_no_binary_fraction_comes_near_money(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"line {node.lineno}"
        assert not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float")


@pytest.mark.parametrize("path", DECISIONS, ids=name_of)
def test_time_comes_in_as_an_argument(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in CLOCKS, f"line {node.lineno}: ask tx.now or tx.today"


def test_every_exception_from_a_check_says_why() -> None:
    bare = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[^\]]*\])?)\s*$", re.MULTILINE)

    silent = [name_of(path) for path in SOURCES if path != Path(__file__) and bare.search(path.read_text("utf-8"))]

    assert silent == []


def test_every_module_says_what_it_is_for() -> None:
    dumb = [name_of(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text("utf-8") or "pass"))]

    assert [name for name in dumb if not name.endswith("__init__.py")] == []
