"""A client that says everything twice, and once differently: every change must be made once."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from ops.client import Answer, Gateway, Problem
from services.gateway.cases.domain import number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.client import Json

# What to change in a body so that it is another request; the first that the body has.
CHANGES: dict[str, Any] = {
    "evidence_ref": "OTHER-1",
    "document": "通人社演示〔2026〕99号",
    "channel": "CASE_CHANNEL_WEB",
    "statement_digest": "0" * 64,
    "digest": "0" * 64,
    "end_month": "2024-12",
    "retirement_month": "2026-06",
    "registration_date": "2025-10-14",
    "month": "2024-12",
    "business_date": "2031-01-01",
    "wage": "1.11",
    "amount": "1.11",
    "bank_reference": "SIMBANK-OTHER",
    "reason": "another reason",
    "name": "另一示例单位",
    "source_system": "another-system",
    "number": "S000000000000000000000",
    "person_id": "per_" + "0" * 32,
    "year": 2025,
    "approve": False,
    "source": "CERTIFICATION_SOURCE_VISIT",
    "sample_size": 7,
    "pin": "147369",
    "purpose": "presence",
    "physical_card_ref": "SIM-OTHER",
}
OTHER_CASE = number.make("320600", date(2024, 1, 1), 1, 999_999)
ID = re.compile(r"/[a-z]{3}_[0-9a-f]{32}|/[0-9]{6}-[0-9]{8}-[0-9]-[0-9]{6}-[0-9]|/(?<=account-years/)\d{4}")


@dataclass
class TwiceGateway(Gateway):
    """The gateway of somebody whose network loses every first answer."""

    repeated: set[str] = field(default_factory=set)

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        content: bytes | None = None,
        query: Mapping[str, str | int] | None = None,
        key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call; a change is repeated and then tried with another body under the same key."""
        first = await super().call(method, path, body=body, content=content, query=query, key=key, headers=headers)
        if key and body is not None:
            again = await super().call(method, path, body=body, key=key, headers=headers)
            assert again.body == first.body, f"{path}: the stored answer differs"
            assert again.headers.get("idempotency-replayed") == "true", f"{path}: the repetition was not recognised"
            await self._refused(method, path, body, key)
            self.repeated.add(f"{method} {ID.sub('/{id}', path)}")
        return first

    async def _refused(self, method: str, path: str, body: Json, key: str) -> None:
        other_path, other_body = another(path, body)
        if (other_path, other_body) == (path, body):
            return  # a request that says nothing has no other
        with pytest.raises(Problem) as refusal:
            await super().call(method, other_path, body=other_body, key=key)
        problem = refusal.value
        assert (problem.status, problem.code) == (422, "REQUEST_ID_REUSED"), f"{path}: {problem}"


def another(path: str, body: Json) -> tuple[str, Json]:
    """The same request with something else in it."""
    changed: dict[str, Any] = copy.deepcopy(body)
    for name, value in CHANGES.items():
        if name in changed:
            changed[name] = value
            return path, changed
    other_id = re.sub(r"/([a-z]{3})_[0-9a-f]{32}", lambda found: f"/{found[1]}_{'0' * 32}", path)
    other_id = re.sub(r"/cases/[0-9-]{22,26}", f"/cases/{OTHER_CASE}", other_id)
    return other_id.replace("/2025:", "/2024:"), changed
