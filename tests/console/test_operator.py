"""The operator's pages: what is wrong is seen first, figures stay exact, and nobody else comes in."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import pytest

from services.gateway.console.charts import bars
from services.gateway.portal.downloads import as_csv
from services.gateway.portal.jobs import percent_done
from tests.console import shown_cases, shown_platform

if TYPE_CHECKING:
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPERATOR = "staff-operator-1"
TRACE = "0af7651916cd43dd8448eb211c80319c"


async def opened(site: Site, path: str, persona: str = OPERATOR) -> str:
    """The text of a page."""
    async with site.browser(persona, acr=3) as visitor:
        answer = await visitor.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def row_of(page: str, service: str) -> str:
    """The row of a service in the first table."""
    found = re.search(rf"<tr>(?:(?!</tr>).)*<code>{service}</code>.*?</tr>", page, re.DOTALL)
    assert found is not None
    return found[0]


async def test_health_names_who_is_away_who_is_behind_and_what_was_put_aside(site: Site) -> None:
    page = await opened(site, "/console/platform")

    assert "2 services are not well" in page
    assert "No answer" in row_of(page, "benefits")
    assert "0.1.0" not in row_of(page, "benefits")
    assert "Well" in row_of(page, "enrollment")
    assert "7 s" in row_of(page, "enrollment")
    assert "41 s <small>+3</small>" in row_of(page, "enrollment")
    assert "2 over the quota of reads" in row_of(page, "enrollment")
    assert "audit chain broken" in row_of(page, "training")
    assert "Not ready" in row_of(page, "card")
    assert "relay: 31 s behind" in row_of(page, "card")
    assert "No connection to the broker" in row_of(page, "card")
    assert "<code>hrss events parked list training</code>" in page
    assert page.count("not known") == 2


async def test_a_platform_that_is_well_says_so_in_one_line(site: Site) -> None:
    site.overlay.answers["GET", "/v1/platform"] = shown_platform.well()

    page = await opened(site, "/console/platform")

    assert "All 5 services are well" in page
    assert "hrss events parked" not in page


async def test_a_platform_without_its_broker_is_not_called_well(site: Site) -> None:
    platform = shown_platform.well()
    platform.services[0].is_broker_away = True
    site.overlay.answers["GET", "/v1/platform"] = platform

    page = await opened(site, "/console/platform")

    assert "1 services are not well" in page
    assert "No connection to the broker" in row_of(page, "enrollment")
    assert ">✓ Well<" not in row_of(page, "enrollment")


async def test_the_page_refreshes_itself_until_it_is_told_to_stop(site: Site) -> None:
    async with site.browser(OPERATOR, acr=3) as visitor:
        page = (await visitor.get("/console/platform")).text
        still = (await visitor.get("/console/platform?auto=off")).text

    assert 'hx-trigger="every 5s"' in page
    assert 'href="/console/platform?auto=off"' in page
    assert "hx-trigger" not in still


async def test_the_timetable_shows_what_starts_and_what_went_wrong(site: Site) -> None:
    page = await opened(site, "/console/timetable")

    for words in ("Prove the books", "3 missed before", "law.yaml rate", "<code>card</code>"):
        assert words in page, words
    assert "nobody is named who prepares" in page


async def test_jobs_show_how_far_they_are(site: Site) -> None:
    page = await opened(site, "/console/jobs")

    assert re.findall(r'<progress max="100" value="(\d+)"', page) == ["50", "100", "49", "0"]
    assert "Import of history" in page
    assert "some_new_kind" in page
    assert "the file ends in the middle of a row" in page
    assert "<code>card</code>" in page


@pytest.mark.parametrize(
    ("job", "percent"),
    [
        ({"state": "JOB_STATE_RUNNING", "total_count": 0}, 0),
        ({"state": "JOB_STATE_DONE", "total_count": 0}, 100),
        ({"state": "JOB_STATE_RUNNING", "total_count": 3, "done_count": 1, "rejected_count": 1}, 66),
        ({"state": "JOB_STATE_RUNNING", "total_count": 3, "done_count": 9}, 100),
    ],
)
async def test_a_job_is_as_far_as_its_rows_are_through(job: dict[str, Any], percent: int) -> None:
    counts = {"done_count": 0, "rejected_count": 0, "skipped_count": 0}

    assert percent_done(counts | job) == percent


@pytest.mark.parametrize("number", [TRACE, TRACE.upper(), f"00-{TRACE}-00f067aa0ba902b7-01"])
async def test_the_number_of_a_trace_leads_to_its_page(site: Site, number: str) -> None:
    page = await opened(site, f"/console/traces?number={number}")

    assert f'href="http://127.0.0.1:8082/traces/{TRACE}"' in page


async def test_the_number_of_a_request_leads_there_too(site: Site) -> None:
    page = await opened(site, "/console/traces?number=req-00000001")

    assert 'href="http://127.0.0.1:8082/traces/req-00000001"' in page
    assert "hrss.request_id" in page


async def test_the_number_of_a_case_lists_every_trace_of_it(site: Site) -> None:
    number = shown_cases.CASE_NO
    shown = f"{number[:6]}-{number[6:14]}-{number[14]}-{number[15:21]}-{number[21]}"
    site.overlay.answers["GET", f"/v1/cases/{shown}/events"] = shown_cases.events("submitted", "accepted")

    page = await opened(site, f"/console/traces?number={shown}")

    assert re.findall(r'href="http://127.0.0.1:8082/traces/0{31}(\d)"', page) == ["1", "2"]


async def test_a_case_that_does_not_exist_is_said_and_other_words_are_no_number(site: Site) -> None:
    gone = shown_cases.refusal(404, "CASE_NOT_FOUND")
    site.overlay.answers["GET", f"/v1/cases/{shown_cases.CASE_NO}/events"] = gone

    page = await opened(site, f"/console/traces?number={shown_cases.CASE_NO}")
    other = await opened(site, "/console/traces?number=%3Cscript%3E")

    assert "CASE_NOT_FOUND happened" in page
    assert "does not look like" in other
    assert "<script>" not in other


async def test_indicators_stand_as_chart_and_as_table_with_what_is_missing(site: Site) -> None:
    page = await opened(site, "/console/indicators", "staff-supervisor-1")

    assert "counts 2 of them and 1 are reached" in page
    assert re.findall(r'<rect class="(?:reached|open)" x="0" y="1" width="([0-9.]+)"', page) == ["82", "0.6"]
    for text in ("205.0001", "5.0001", "\N{MINUS SIGN}24.9998", "Reached", "Not reached", "No figure"):
        assert text in page
    for text in (
        "some office",
        "data are missing",
        "the text says it differently",
        "Counted in part",
        "over five years",
    ):
        assert text in page


async def test_the_file_for_spreadsheets_holds_the_exact_figures(site: Site) -> None:
    async with site.browser(OPERATOR, acr=3) as visitor:
        answer = await visitor.get("/console/indicators.csv")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["number"], row["actual"], row["gap"], row["is_reached"]) for row in rows] == [
        ("2", "", "", "false"),
        ("6", "205.0001", "5.0001", "true"),
        ("13", "0.0002", "-24.9998", "false"),
    ]
    assert rows[0]["sources"] == "NT-PLAN-14-5"


async def test_bars_are_as_long_as_the_figures_say() -> None:
    def length(actual: str, target: str = "200") -> tuple[str | None, str]:
        (bar,) = bars([{"actual": actual, "target": target, "is_reached": False}])
        return bar.length, bar.share

    assert length("") == (None, "")
    assert length("200") == ("80", "100")
    assert length("100") == ("40", "50")
    assert length("1000") == ("100", "500")
    assert length("0.0000") == ("0", "0")
    assert length("0.0001") == ("0.6", "0.00005")


@pytest.mark.parametrize("path", ["/console/platform", "/console/jobs", "/console/traces", "/console/indicators"])
async def test_clerks_and_strangers_do_not_come_in(site: Site, path: str) -> None:
    async with site.browser("staff-clerk-1", acr=3) as visitor:
        assert (await visitor.get(path)).status_code == 403
    async with site.browser() as stranger:
        answer = await stranger.get(path)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?")
    assert [one for one in site.overlay.seen if one[1] != "/v1/me"] == []


@pytest.mark.parametrize(
    ("persona", "home"),
    [("staff-operator-1", "/console/platform"), ("staff-clerk-1", "/desk/cases"), ("staff-auditor-1", "/desk/cases")],
)
async def test_each_begins_at_their_own_desk(site: Site, persona: str, home: str) -> None:
    async with site.browser() as visitor:
        answer = await visitor.log_in(persona, acr=3)
        arrived = await visitor.get(answer.headers["location"])

    assert answer.headers["location"] == home
    assert arrived.status_code == 200


async def test_no_cell_of_the_file_is_a_formula() -> None:
    text = as_csv(("name", "other", "note", "sum", "gap"), [("=HYPERLINK(1)", "@x", "-1+2", "+1", "-12.50")])

    (_, row) = csv.reader(io.StringIO(text.decode("utf-8-sig")))

    assert row == ["'=HYPERLINK(1)", "'@x", "'-1+2", "'+1", "-12.50"]
