"""One site per module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.portal import answers
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
    """Each test begins with services that know the person, and with no applications."""
    if "site" in request.fixturenames:
        running: Site = request.getfixturevalue("site")
        answers.program(running.echo)
        running.overlay.answers.clear()
        running.overlay.seen.clear()
