"""The platform as the API shows it: five services, one of them away, one behind; jobs; three indicators."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from chassis.values import to_date
from hrss.gateway.v1 import platform_service_pb2 as pb
from hrss.type.v1 import job_pb2, timetable_pb2
from kernel import ids

if TYPE_CHECKING:
    from tests.portal.site import Overlay

TRACES = "http://127.0.0.1:8082/traces/{trace_id}"


def services(**changes: dict[str, Any]) -> pb.GetPlatformResponse:
    """Every service; changes by name."""
    values: dict[str, dict[str, Any]] = {
        "enrollment": {
            "outbox_pending": 12,
            "outbox_oldest_seconds": 7,
            "version": "0.1.0",
            "is_ready": True,
            "audit_checkpoint_age_seconds": 41,
            "audit_unsealed": 3,
            "unseal_alarms": 2,
        },
        "benefits": {"is_away": True, "missing": ["service: does not answer"]},
        "training": {"parked": 2, "waiting": 1, "version": "0.1.0", "is_ready": True, "is_audit_broken": True},
        "card": {"missing": ["relay: 31 s behind"], "version": "0.1.0", "is_broker_away": True},
        "gateway": {"version": "0.1.0", "is_ready": True},
    }
    found = [pb.ServiceHealth(service=name, **(one | changes.get(name, {}))) for name, one in values.items()]
    found[0].consumers.add(producer="benefits", pending=3, unacknowledged=1)
    found[3].consumers.add(producer="enrollment", is_unknown=True)
    return pb.GetPlatformResponse(services=found, traces_url=TRACES)


def well() -> pb.GetPlatformResponse:
    """Nothing is wrong."""
    names = ("enrollment", "benefits", "training", "card", "gateway")
    return pb.GetPlatformResponse(services=[pb.ServiceHealth(service=name, is_ready=True) for name in names])


def a_job(service: str, state: str, **changes: Any) -> pb.PlatformJob:
    """A job half done."""
    values: dict[str, Any] = {"kind": "import_history", "total_count": 200, "done_count": 90, "skipped_count": 8}
    job = job_pb2.Job(
        job_id=ids.to_text("job", ids.new_id()),
        state=job_pb2.JobState.Value(f"JOB_STATE_{state}"),
        **(values | changes),
    )
    job.create_time.FromDatetime(datetime(2026, 11, 20, 1, tzinfo=UTC))
    return pb.PlatformJob(service=service, job=job)


def jobs() -> pb.ListPlatformJobsResponse:
    """Four jobs; one service did not answer."""
    return pb.ListPlatformJobsResponse(
        jobs=[
            a_job("enrollment", "RUNNING", rejected_count=2),
            a_job("benefits", "DONE", kind="payroll", total_count=0),
            a_job("enrollment", "FAILED", message="the file ends in the middle of a row"),
            a_job("enrollment", "QUEUED", kind="some_new_kind", total_count=0, done_count=0, skipped_count=0),
        ],
        missing_services=["card"],
    )


def an_indicator(number: int, key: str, **changes: Any) -> pb.Indicator:
    """A row of the plan without a figure."""
    values: dict[str, Any] = {
        "name_zh": f"指标{number}",
        "name_en": f"Indicator {number}",
        "unit": "万人",
        "comparison": ">=",
        "target": "200",
        "note_zh": "缺数据",
        "note_en": "data are missing",
        "data_owner_zh": "某单位",
        "data_owner_en": "some office",
        "sources": ["NT-PLAN-14-5"],
    }
    return pb.Indicator(number=number, key=key, **(values | changes))


def indicators() -> pb.ListIndicatorsResponse:
    """One reached, one not by far, one unknown rate with a remark."""
    reached = an_indicator(
        6, "employee_pension_insured", actual="205.0001", count=2_050_001, gap="5.0001", is_reached=True,
        counted_by="enrollment", data_owner_zh="", data_owner_en="", is_binding=True,
    )  # fmt: skip
    far = an_indicator(
        13, "skill_certificates", actual="0.0002", count=2, gap="-24.9998", target="25", unit="万人次",
        counted_by="training", is_cumulative=True, is_partial=True,
    )  # fmt: skip
    for one in (reached, far):
        one.count_time.FromDatetime(datetime(2026, 11, 20, 1, tzinfo=UTC))
        one.business_date.CopyFrom(to_date(date(2026, 11, 20)))
    rate = an_indicator(
        2, "surveyed_unemployment", unit="%", comparison="about", target="5",
        plan_note_zh="正文写法不同", plan_note_en="the text says it differently",
    )  # fmt: skip
    return pb.ListIndicatorsResponse(indicators=[rate, reached, far])


def timetable() -> pb.ListTimetableResponse:
    """One entry went well, one failed, one is off; one service did not answer."""
    good = timetable_pb2.TimetableEntry(
        name="books", title_zh="核对账务", title_en="Prove the books", when_zh="每月 2 日", when_en="monthly, day 2"
    )
    good.next_time.FromDatetime(datetime(2026, 12, 1, 17, tzinfo=UTC))
    good.last.state, good.last.tries, good.last.left_out_count = timetable_pb2.TIMETABLE_STATE_DONE, 1, 3
    good.last.start_time.FromDatetime(datetime(2026, 11, 1, 17, tzinfo=UTC))
    good.last.business_date.CopyFrom(to_date(date(2026, 11, 2)))
    bad = timetable_pb2.TimetableEntry(name="interest", title_zh="计息", title_en="Interest", when_zh="", when_en="")
    bad.last.CopyFrom(good.last)
    bad.last.state, bad.last.reason = timetable_pb2.TIMETABLE_STATE_FAILED, "POLICY_PARAMETER_MISSING law.yaml rate"
    off = timetable_pb2.TimetableEntry(name="payroll", title_zh="发放", title_en="Payroll", off_reason="NO_MAKER")
    entries = [pb.PlatformEntry(service="benefits", entry=one) for one in (good, bad, off)]
    return pb.ListTimetableResponse(entries=entries, missing_services=["card"])


def program(overlay: Overlay) -> None:
    """Let the API say so."""
    overlay.answers["GET", "/v1/platform"] = services()
    overlay.answers["GET", "/v1/platform/jobs"] = jobs()
    overlay.answers["GET", "/v1/platform/timetable"] = timetable()
    overlay.answers["GET", "/v1/stats/indicators"] = indicators()
