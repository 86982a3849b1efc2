"""PayingService at its edge: a payroll with a finding, its release, its file, the answer and what came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrss.benefits.v1 import benefits_pb2 as model
from hrss.benefits.v1 import office_service_pb2 as office
from hrss.benefits.v1 import paying_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput, NotFound, Refused
from services.benefits.service import build
from tests.benefits.builders import BANK, CLERK, SUPERVISOR, TODAY, refused
from tests.benefits.paying_bureau import Bureau, answer_of
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.principal import Principal
    from services.benefits.policy import BenefitsPolicy


async def test_a_month_at_the_edge(  # noqa: PLR0915 - one story
    database: Database, policy: BenefitsPolicy
) -> None:
    bureau = Bureau(database, policy)
    await bureau.city(12)
    await bureau.released("2026-01")
    jump = (await bureau.benefit_ids())[0]
    await owner_fetch(
        database,
        "INSERT INTO benefit_amount SELECT benefit_id, 2, '2026-02-01', amount_fen * 2, digest, 'RECOMPUTED', NULL,"
        " business_date FROM benefit_amount WHERE benefit_id = $1",
        jump,
    )
    row = await bureau.released("2026-02")
    payroll_id = ids.to_text("prl", row.payroll_id)
    async with serve(build(database.settings), database=database) as running:

        async def ask(name: str, principal: Principal = CLERK, **fields: Any) -> Any:
            request = getattr(pb, f"{name}Request")(**fields)
            return await running.call(name, request, principal, today=TODAY)

        async def look(name: str, **fields: Any) -> Any:
            return await running.call(name, getattr(office, f"{name}Request")(**fields), SUPERVISOR, today=TODAY)

        evidence = await ask("GetPayrollEvidence", payroll_id=payroll_id)
        blocked = {pb.PayrollGate.Name(one.gate): one.blocked_count for one in evidence.gates if one.blocked_count}
        assert blocked == {"PAYROLL_GATE_JUMP": 1}
        listed = await ask("ListPayrollFindings", payroll_id=payroll_id, effect=pb.FINDING_EFFECT_BLOCK)
        assert [one.benefit_id for one in listed.findings] == [ids.to_text("ben", jump)]
        exported = await ask("ExportPayrollFindings", payroll_id=payroll_id)
        assert exported.content.startswith("benefit_id,kind,gate,effect,detail\nben_")
        with refused(InvalidInput, "GATE_REQUIRED"):
            await ask("PrepareRelease", request_id="r0", benefit_id=ids.to_text("ben", jump), reason="核实无误")
        release = await ask(
            "PrepareRelease",
            request_id="r1",
            benefit_id=ids.to_text("ben", jump),
            gate=pb.PAYROLL_GATE_JUMP,
            reason="核实无误",
        )
        waiting = await look("ListReleases")
        assert [(one.release_id, one.reason) for one in waiting.releases] == [(release.release.release_id, "核实无误")]
        decided = await ask(
            "DecideRelease", SUPERVISOR, request_id="r2", release_id=release.release.release_id, approve=True
        )
        assert decided.release.state == pb.RELEASE_STATE_APPROVED
        assert not (await look("ListReleases")).releases

        made = await ask("MakePaymentFile", request_id="r3", payroll_id=payroll_id)
        with refused(Refused, "PAYMENT_FILE_NOT_READY"):
            await ask("ReadPaymentFile", BANK, file_id=made.file.file_id, part=1)
        await bureau.work_off()
        shown = await ask("GetPaymentFile", BANK, file_id=made.file.file_id)
        assert (shown.file.payment_count, shown.file.total.fen) == (11, row.total.fen)
        text, part = "", 1
        while part:
            read = await ask("ReadPaymentFile", BANK, file_id=made.file.file_id, part=part)
            text, part = text + read.content, read.next_part
        with refused(InvalidInput, "PART_INVALID"):
            await ask("ReadPaymentFile", BANK, file_id=made.file.file_id, part=99)
        with refused(NotFound, "PAYMENT_FILE_NOT_FOUND"):
            await ask("GetPaymentFile", file_id=ids.to_text("pfl", ids.new_id()))

        back = text.splitlines()[2].split(",")[0]
        ref = await bureau.files.put(answer_of(row, text, [back]).encode())
        started = await ask(
            "ImportReturns", BANK, request_id="r4", payroll_id=payroll_id, upload_id=ref.upload_id, digest=ref.digest
        )
        await bureau.work_off()
        rows = await ask("ListReturnRows", return_id=started.return_id)
        assert {one.verdict for one in rows.rows} == {pb.RETURN_VERDICT_ACCEPTED}
        with refused(NotFound, "RETURN_FILE_NOT_FOUND"):
            await ask("ListReturnRows", return_id=ids.to_text("rfl", ids.new_id()))
        done = await look("GetPayrollProgress", payroll_id=payroll_id)
        assert sum(one.total.fen for one in done.kinds) == done.file.total.fen == row.total.fen
        assert [(one.return_id, one.job.done_count) for one in done.returns] == [(started.return_id, 11)]
        shown_job = await look("GetBenefitJob", job_id=started.job.job_id)
        assert (shown_job.job.kind, len(shown_job.rejects)) == ("import_returns", 0)
        listed = [await look("ListBenefitJobs", kind="import_returns"), await look("ListBenefitJobs", page_size=1)]
        assert [[one.kind for one in page.jobs] for page in listed] == [["import_returns"]] * 2
        older = await look("ListBenefitJobs", page_size=1, page_token=listed[1].next_page_token)
        assert [one.kind for one in older.jobs] == ["payment_file"]
        with refused(NotFound, "JOB_NOT_FOUND"):
            await look("GetBenefitJob", job_id=ids.to_text("job", ids.new_id()))
        found: list[str] = []
        token = ""
        while not found or token:
            page = await look(
                "ListDeterminations", state=model.DETERMINATION_STATE_APPROVED, page_size=5, page_token=token
            )
            found += [one.determination_id for one in page.determinations]
            token = page.next_page_token
        assert len(found) == len(set(found)) == len(await bureau.benefit_ids())
        assert not (await look("ListDeterminations")).determinations
        assert not (await look("ListSuspendedBenefits")).benefits
        owed = await ask("ListReturnedPayments", state=pb.RETURNED_STATE_OWED)
        assert [(one.payment_id, one.return_code, one.tries) for one in owed.payments] == [(back, "CLOSED", 1)]
        retried = await ask("RetryPayment", request_id="r5", payment_id=back)
        assert retried.payment.state == pb.RETURNED_STATE_WAITING
        proof = await ask("CheckBenefitBooks", request_id="r6")
        assert proof.job.total_count > 20
    supplement = await bureau.released("2026-02")
    assert supplement.payment_count == 2  # the released one and the one that came back
