"""How a case is left to the long run."""

from __future__ import annotations

from typing import Any

import pytest


def slow(*values: Any) -> Any:
    """A case of a parametrized test that `make test` leaves out and `make test-slow` runs."""
    return pytest.param(*values, marks=pytest.mark.slow)
