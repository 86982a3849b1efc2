"""Jobs stand in lists with the way to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrss.benefits.v1 import office_service_pb2 as office
from tests.portal.register_office import job
from tests.portal.test_employer import CLERK
from tests.portal.test_register import text_of

if TYPE_CHECKING:
    from tests.plugins.databases import Templates  # noqa: F401 - for the fixtures of this folder
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROOF = "/desk/benefit-books"


async def test_the_office_finds_the_proofs_of_before_and_every_job(site: Site) -> None:
    listed = office.ListBenefitJobsResponse(
        jobs=[job("check_benefit_books"), job("payroll", "RUNNING", rejected_count=0)]
    )
    site.echo.answer("ListBenefitJobs", office.ListBenefitJobsResponse(jobs=listed.jobs, next_page_token="older"))

    async with site.browser(CLERK) as clerk:
        proofs = (await clerk.get(PROOF)).text
        every = (await clerk.get("/desk/jobs?of=benefits")).text

    assert f'href="{PROOF}?job={listed.jobs[0].job_id}"' in proofs
    assert f'href="/desk/benefit-jobs/{listed.jobs[1].job_id}"' in every
    assert "98 %" in text_of(every)  # 120 done and 6 skipped of 128
    assert "page=older" in every
