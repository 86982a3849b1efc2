"""One site per module, whose answers about cases and the platform each test programs anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.console import shown_cases as cases
from tests.console import shown_platform as platform
from tests.portal.site import run_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.databases import Templates
    from tests.portal.site import Site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(templates: Templates, keys_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The running site."""
    async with run_site(templates, keys_dir, tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh_answers(request: pytest.FixtureRequest) -> None:
    """Each test begins with one case that waits for acceptance, and a platform of which one service is away."""
    if "site" in request.fixturenames:
        overlay = request.getfixturevalue("site").overlay
        overlay.answers.clear()
        overlay.seen.clear()
        cases.program(overlay)
        platform.program(overlay)
