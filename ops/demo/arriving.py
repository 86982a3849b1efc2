"""Acts 1 and 2: an employer and its people arrive, at the counter and by a roster, and so do their years before."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from ops.demo import expectation, history
from ops.demo.people import DIVISION, START, roster_of
from ops.demo.stage import until

if TYPE_CHECKING:
    from ops.client import Json
    from ops.demo.life import Life
    from ops.demo.stage import Stage


async def register(stage: Stage, life: Life) -> None:
    """Act 1: an employer with its people, a few at the counter and the others by a roster."""
    cast = life.cast
    stage.act(1, "参保登记", f"An employer registers and enrols {len(cast.employees)} people")
    await stage.today(date(2025, 1, 3))
    employer = await stage.office.post(
        "/v1/employers",
        {
            "credit_code": cast.credit_code,
            "name": cast.employer_name,
            "division": DIVISION,
            "injury_class": expectation.INJURY_CLASS,
        },
        key=stage.key("employer"),
    )
    life.employer_id = employer["employer"]["employer_id"]
    stage.say(f"单位 {cast.credit_code}", f"employer registered as {life.employer_id}")
    for employee in cast.at_counter:
        answer = await stage.office.post(
            "/v1/enrollments",
            {
                "employer_id": life.employer_id,
                "name": employee.name,
                "id_no": employee.id_no,
                "start_month": str(START),
                "wage": str(employee.wage),
                "post": employee.post,
            },
            key=stage.key("enrol", employee.id_no),
        )
        life.enrollments[employee.id_no] = answer["enrollment"]
    started = [each for entry in life.enrollments.values() for each in entry["participations"]]
    stage.check("参保关系数", "participations started", 3 * len(cast.at_counter), len(started))
    stage.say(f"窗口参保 {len(cast.at_counter)} 人 (养老、失业、工伤)", "enrolled one by one in three schemes each")
    await bring_roster(stage, life)


async def bring_roster(stage: Stage, life: Life) -> None:
    """The employer's roster, first with a number that a spreadsheet spoilt, then corrected."""
    listed = life.cast.on_roster
    job, rejects = await _enrol_roster(stage, life, roster_of(listed, START, spoilt=listed[-1]))
    codes = " ".join(each["code"] for each in rejects)
    stage.check("花名册首次", "roster, first time", f"{len(listed) - 1} 1 ID_NO_SCIENTIFIC", f"{_counts(job)} {codes}")
    for each in rejects:
        stage.say(f"第 {each['line']} 行未办理: {each['text_zh']}", each["text_en"])
    job, _ = await _enrol_roster(stage, life, roster_of(listed, START))
    stage.check("花名册更正后", "roster, corrected", f"{len(listed)} 0", _counts(job))
    stage.say(
        f"花名册参保 {len(listed)} 人;更正后新增 {job['done_count']} 行,已办 {job['skipped_count']} 行不变",
        "enrolled by a roster; what was recorded before was left as it is",
    )


async def _enrol_roster(stage: Stage, life: Life, content: bytes) -> tuple[Json, list[Json]]:
    upload = await stage.office.upload(content)
    answer = await stage.office.post(
        "/v1/roster-imports",
        {
            "upload_id": upload["upload_id"],
            "digest": upload["digest"],
            "employer_id": life.employer_id,
            "mode": "ROSTER_MODE_PARTIAL",
        },
        key=stage.key("roster", upload["upload_id"]),
    )
    job = (await job_end(stage, answer["job"]["job_id"]))["job"]
    rejects = await stage.office.get(f"/v1/enrollment-jobs/{job['job_id']}/rejects")
    return job, rejects["rejects"]


def _counts(job: Json) -> str:
    """Rows that are recorded, now or before, and rows that are rejected; another state than done shows."""
    counts = f"{job['done_count'] + job['skipped_count']} {job['rejected_count']}"
    return counts if job["state"] == "JOB_STATE_DONE" else f"{job['state']} {counts}"


async def bring_history(stage: Stage, life: Life) -> None:
    """Act 2: the years before, from a file."""
    stage.act(2, "历史数据迁入", "The years before arrive from a file, every row with its source")
    content = history.file_of(life.cast, life.law)
    upload = await stage.office.upload(content)
    answer = await stage.office.post(
        "/v1/history-imports",
        {"upload_id": upload["upload_id"], "digest": upload["digest"], "source_system": "demo-legacy"},
        key=stage.key("history", upload["upload_id"]),
    )
    job_id = answer["job"]["job_id"]
    job = (await job_end(stage, job_id))["job"]
    stage.check("迁入状态", "import job", "JOB_STATE_DONE 0", f"{job['state']} {job['rejected_count']}")
    stage.say(f"迁入 {job['done_count']} 行", f"{job['done_count']} rows imported, none rejected")


async def job_end(stage: Stage, job_id: str) -> Json:
    """A job of enrollment once it has ended, well or not."""
    return await until(
        lambda: stage.office.get(f"/v1/enrollment-jobs/{job_id}"),
        lambda body: body["job"]["state"] in {"JOB_STATE_DONE", "JOB_STATE_FAILED"},
        f"the job {job_id}",
    )
