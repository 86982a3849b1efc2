"""Build hooks: generate `gen/` before a wheel or an editable install, and read the dependencies from `requirements/`.

The dependencies of the distribution are those of `requirements/runtime.in`; the exact versions with hashes that are
installed and tested stand beside it in `runtime.txt`.
"""

# ruff: noqa: INP001 - loaded by path
from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

ROOT = Path(__file__).resolve().parent.parent


class GenerateHook(BuildHookInterface[Any]):
    """Generates Python code and stubs from the contract."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface's signature
        """Bring `gen/` up to date before files are collected."""
        specification = importlib.util.spec_from_file_location("hrss_proto_generate", ROOT / "proto" / "generate.py")
        assert specification
        assert specification.loader
        generator = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(generator)
        generator.generate()


class DependenciesHook(MetadataHookInterface):
    """Takes the dependencies from `requirements/runtime.in`, so that they stand in one place."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add `dependencies` to the project's metadata."""
        lines = (ROOT / "requirements" / "runtime.in").read_text(encoding="utf-8").splitlines()
        metadata["dependencies"] = [line.strip() for line in lines if line.strip() and not line.startswith(("#", "-"))]
