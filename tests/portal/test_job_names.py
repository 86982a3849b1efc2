"""Jobs have names in both languages, whatever service declares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.benefits.service import build as benefits
from services.card.keyring import create_keys
from services.card.service import build as card
from services.enrollment.service import build as enrollment
from services.gateway.portal.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.plugins.databases import NewDatabase


@pytest.mark.parametrize(("name", "build"), [("benefits", benefits), ("enrollment", enrollment), ("card", card)])
async def test_every_kind_of_job_has_a_name(new_database: NewDatabase, name: str, build: Callable[[Any], Any]) -> None:
    settings = (await new_database(name)).settings
    if name == "card":
        create_keys(settings.keys_dir)
    texts = [Texts("zh"), Texts("en")]

    kinds = [one.name for one in build(settings).jobs]

    assert kinds
    assert [kind for kind in kinds for text in texts if not text.has(f"job.{kind}")] == []
