"""A random walk through every room of enrolment: persons die, merge and move while bills, receipts and refunds go on.

Each room has tests of its own; what one room does to another shows only here. A refusal is fine, anything else is a
fault, and after every tenth step the books and every other invariant must hold.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chassis.values import to_money
from hrss.enrollment.v1 import city_service_pb2 as city_pb
from hrss.enrollment.v1 import collection_service_pb2 as collection_pb
from hrss.enrollment.v1 import cover_service_pb2 as cover_pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import moving_service_pb2 as moving_pb
from kernel import ids
from kernel.errors import DomainError
from kernel.money import Money
from tests.enrollment import builders, collecting, moving, persons
from tests.enrollment.builders import CLERK, PARTNER, an_id_no, day, money, month
from tests.enrollment.cover_builders import a_flexible, a_government, a_post, a_request_id, a_resident, a_single_receipt
from tests.enrollment.test_history import NAME, bring_in
from tests.enrollment.test_moving_transfer import AREA, a_form
from tests.enrollment.test_walk import Walk
from tests.plugins.marks import slow
from tests.system import oracle_enrollment

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

STEPS = 240
DEADLY = 0.2  # a death ends much; most of the walk is about the living
PEOPLE = 12
SUPERVISOR = persons.SUPERVISOR


class RoomsWalk(Walk):
    """The hand of the other walk, with the keys of every room."""

    def __init__(self, bureau: Bureau, seed: int, employers: list[str], government: str) -> None:
        super().__init__(bureau, seed, employers)
        self.government = government
        self.numbers = [an_id_no(date(1963 + 3 * place, 1, 1)) for place in range(PEOPLE)]
        self.covers: list[model.Cover] = []
        self.transfers: list[Any] = []
        self.did: dict[str, int] = {}
        self.last = ""

    async def step(self) -> None:
        """Do one thing; a refusal is fine, a fault is not."""
        action = self.draw.choice([
            *[self._enroll] * 3, self._end, self._declare, *[self._assess] * 3, *[self._pay] * 3, self._close,
            self._settle, self._bring_in, self._next_month,
            self._bill_run, *[self._receipts] * 2, self._match, self._refund, self._due_day, self._demand, self._plan,
            self._die, self._merge, self._merge, self._unmerge, self._change, self._change_employer,
            self._flexible, self._resident, self._post, *[self._cover] * 2, self._pause, self._back_pay,
            self._overlap, self._years, self._move, *[self._carry_on] * 2,
        ])  # fmt: skip
        try:
            await action()
        except DomainError:
            return
        self.done += 1
        name = action.__name__
        self.did[name] = self.did.get(name, 0) + 1
        self.last = name

    def _person(self) -> str:
        known = [one.person_id for one in self.enrollments] + [one.person_id for one in self.covers]
        return self.draw.choice(known) if known else "per_" + "0" * 32

    # City and collection ---------------------------------------------------------------------------------------------

    async def _bill_run(self) -> None:
        request = city_pb.StartBillRunRequest(request_id=a_request_id("run"), month=month(self._a_month(1)))
        await self._call("StartBillRun", request)
        await self.bureau.run_jobs()

    async def _receipts(self) -> None:
        rows = []
        for _ in range(3):
            employer_id = self.draw.choice([*self.employers, self.government])
            payer = await collecting.code_of(self.bureau, employer_id)
            bills = [one for one in self.bills.values() if one.employer_id == employer_id]
            document = self.draw.choice(bills).bill_id if bills and self.draw.random() < 0.8 else ""
            amount = Money(self.draw.randint(1, 400_000))
            rows.append(
                collecting.a_row(f"WALK{builders.number():08d}", payer, document, amount, self.today - timedelta(1))
            )
        data = collecting.a_receipts_file(rows, day=self.today)
        job = await collecting.send(self.bureau, data, today=self.today)
        assert (job.done_count, job.rejected_count) == (3, 0), job

    async def _match(self) -> None:
        lying = await collecting.suspense(self.bureau)
        if lying and self.bills:
            bill = self.draw.choice(list(self.bills.values()))
            await collecting.ask(
                self.bureau, "MatchSuspense", today=self.today, suspense_id=self.draw.choice(lying).suspense_id,
                document=bill.bill_id, amount=money(f"{self.draw.randint(1, 300)}"),
            )  # fmt: skip

    async def _refund(self) -> None:
        lying = await collecting.suspense(self.bureau)
        if not lying:
            return
        asked = await collecting.ask(
            self.bureau, "PrepareRefund", today=self.today, suspense_id=self.draw.choice(lying).suspense_id,
            amount=money(f"{self.draw.randint(1, 50)}"), reason="多缴退还",
        )  # fmt: skip
        decided = await collecting.ask(
            self.bureau, "DecideRefund", by=collecting.SUPERVISOR, today=self.today, refund_id=asked.refund.refund_id,
            approve=self.draw.random() < 0.8,
        )  # fmt: skip
        if decided.refund.state == collection_pb.REFUND_STATE_ORDERED:
            outcome = self.draw.choice([collection_pb.REFUND_OUTCOME_CONFIRMED, collection_pb.REFUND_OUTCOME_RETURNED])
            await collecting.ask(
                self.bureau, "RecordRefundResult", by=PARTNER, today=self.today, refund_id=asked.refund.refund_id,
                outcome=outcome, reference=f"WALK-{builders.number()}", simulated=True,
            )  # fmt: skip

    async def _due_day(self) -> None:
        value = self._a_month()
        await collecting.ask(
            self.bureau, "SetDueDate", today=self.today, month=month(value), due_date=day(value.next.first_day)
        )

    async def _demand(self) -> None:
        if self.bills:
            bill = self.draw.choice(list(self.bills.values()))
            await collecting.ask(self.bureau, "DemandLateFee", today=self.today, bill_id=bill.bill_id)

    async def _plan(self) -> None:
        employer_id = self.draw.choice(self.employers)
        owed = await collecting.ask(self.bureau, "ListArrears", today=self.today, employer_id=employer_id)
        half = owed.open.fen // 2
        parts = [
            collection_pb.Instalment(due_date=day(self.today + timedelta(30 * place)), amount=to_money(Money(fen)))
            for place, fen in ((1, half), (2, owed.open.fen - half))
        ]
        asked = await collecting.ask(
            self.bureau, "PrepareInstalments", today=self.today, employer_id=employer_id, instalments=parts,
            reason="分期",
        )  # fmt: skip
        await collecting.ask(
            self.bureau, "DecideInstalments", by=collecting.SUPERVISOR, today=self.today, plan_id=asked.plan.plan_id,
            approve=True,
        )  # fmt: skip

    # Persons ---------------------------------------------------------------------------------------------------------

    async def _approved(self, rpc: str, **values: Any) -> None:
        asked = await persons.ask(self.bureau, rpc, today=self.today, **values)
        if asked.request.state == persons.WAITING:
            await persons.ask(
                self.bureau, "DecidePersonRequest", by=SUPERVISOR, today=self.today,
                person_request_id=asked.request.person_request_id, approve=True,
            )  # fmt: skip

    async def _die(self) -> None:
        if self.draw.random() < DEADLY:
            died = self.today - timedelta(self.draw.randint(0, 60))
            await self._approved("RecordDeath", person_id=self._person(), death_date=died, source=1)

    async def _merge(self) -> None:
        await self._approved("MergePersons", person_id=self._person(), other_person_id=self._person())

    async def _unmerge(self) -> None:
        merged = await self.bureau.rows(
            "SELECT survivor_id, merged_id FROM person_merge WHERE undone IS NULL ORDER BY merged_id"
        )
        if merged:
            one = self.draw.choice(merged)
            await self._approved(
                "UnmergePersons",
                person_id=ids.to_text("per", one["survivor_id"]),
                other_person_id=ids.to_text("per", one["merged_id"]),
            )

    async def _change(self) -> None:
        await self._approved(
            "ChangePerson", person_id=self._person(), kind=persons.CHANGE, effective_date=self.today,
            division=self.draw.choice(["320613", "320623", "320681"]),
        )  # fmt: skip

    async def _change_employer(self) -> None:
        await persons.ask(
            self.bureau, "ChangeEmployer", today=self.today, employer_id=self.draw.choice(self.employers),
            start_month=month(self._a_month(1)), injury_class=self.draw.randint(1, 8), injury_step={"decimal": "1.00"},
            name="变更示例单位", division="320613",
        )  # fmt: skip

    # Covers ----------------------------------------------------------------------------------------------------------

    async def _flexible(self) -> None:
        request = a_flexible(
            name=NAME, id_no=self.draw.choice(self.numbers), start_month=month(self._a_month(0)),
            base=money(f"{self.draw.randint(4879, 24000)}"),
        )  # fmt: skip
        self.covers.append((await self._call("EnrollFlexible", request)).cover)

    async def _resident(self) -> None:
        request = a_resident(name=NAME, id_no=self.draw.choice(self.numbers), start_month=month(self._a_month(0)))
        self.covers.append((await self._call("EnrollResident", request)).cover)

    async def _post(self) -> None:
        request = a_post(
            self.government, name=NAME, id_no=self.draw.choice(self.numbers), start_month=month(self._a_month(2))
        )
        self.enrollments.append((await self._call("EnrollPost", request)).enrollment)
        bill = await self._call(
            "AssessPostBill",
            cover_pb.AssessPostBillRequest(
                request_id=a_request_id("posts"), employer_id=self.government, month=month(self._a_month(1))
            ),
        )
        self.bills.setdefault(bill.bill.bill_id, bill.bill)

    async def _cover(self) -> None:
        if not self.covers:
            return
        one, word = self.draw.choice(self.covers), a_request_id("cover")
        match self.draw.randint(0, 5):
            case 0 | 1:
                request = cover_pb.AssessCoverBillRequest(
                    request_id=word, cover_id=one.cover_id, month=month(self._a_month())
                )
                bill = (await self._call("AssessCoverBill", request)).bill
                self.bills.setdefault(bill.bill_id, bill)
            case 2:
                await self._call(
                    "ChangeCoverBase",
                    cover_pb.ChangeCoverBaseRequest(
                        request_id=word, cover_id=one.cover_id, from_month=month(self._a_month(1)),
                        base=money(f"{self.draw.randint(4879, 24000)}"),
                    ),
                )  # fmt: skip
            case 3:
                await self._call(
                    "EndCover",
                    cover_pb.EndCoverRequest(
                        request_id=word,
                        cover_id=one.cover_id,
                        end_month=month(self._a_month(2)),
                        reason=model.END_REASON_STOPPED,
                    ),
                )
            case 4:
                await self._call(
                    "SuspendCover",
                    cover_pb.SuspendCoverRequest(
                        request_id=word, cover_id=one.cover_id, from_month=month(self._a_month(1)),
                        reason=cover_pb.SUSPEND_REASON_NO_INCOME,
                    ),
                )  # fmt: skip
            case _:
                year = cover_pb.AssessResidentYearRequest(
                    request_id=word, cover_id=one.cover_id, year=self.today.year, tier=money("500")
                )
                payment = (await self._call("AssessResidentYear", year)).payment
                receipt = a_single_receipt(
                    cover_pb.RecordResidentPaymentRequest, payment.tier.fen,
                    resident_payment_id=payment.resident_payment_id,
                )  # fmt: skip
                await self._call("RecordResidentPayment", receipt, by=PARTNER)

    async def _pause(self) -> None:
        if self.enrollments:
            one = self.draw.choice(self.enrollments)
            kind = self.draw.choice(["Suspend", "Resume"])
            request = getattr(cover_pb, f"{kind}EnrollmentRequest")(
                request_id=a_request_id("pause"), enrollment_id=one.enrollment_id, from_month=month(self._a_month(1))
            )
            if kind == "Suspend":
                request.reason = cover_pb.SUSPEND_REASON_UNPAID_LEAVE
            await self._call(f"{kind}Enrollment", request)

    async def _back_pay(self) -> None:
        if self.enrollments:
            one, first = self.draw.choice(self.enrollments), self._a_month(12)
            request = cover_pb.AssessBackPaymentRequest(
                request_id=a_request_id("back"), enrollment_id=one.enrollment_id, first_month=month(first),
                last_month=month(first.plus(1)), wage=money("6000"), document_ref="WALK-1", due_day=15,
            )  # fmt: skip
            bills = (await self._call("AssessBackPayment", request)).bills
            self.bills.update({bill.bill_id: bill for bill in bills})

    async def _overlap(self) -> None:
        request = cover_pb.RefundOverlapRequest(request_id=a_request_id("overlap"), person_id=self._person())
        await self._call("RefundOverlap", request)

    # Moving ----------------------------------------------------------------------------------------------------------

    async def _years(self) -> None:
        id_no, year = self.draw.choice(self.numbers), self.draw.randint(2010, 2024)
        months = "".join(self.draw.choice("PPPD.") for _ in range(12))
        data = moving.a_years_file([
            moving.a_year_row(id_no, NAME, year, months=months),
            moving.a_balance_row(id_no, NAME, 2024, f"{self.draw.randint(0, 90)}00.00"),
        ])  # fmt: skip
        await bring_in(self.bureau, data)

    async def _move(self) -> None:
        request = moving_pb.ApplyForTransferRequest(
            request_id=a_request_id("move"), person_id=self._person(), other_area="310000",
            direction=self.draw.choice([model.TRANSFER_DIRECTION_IN, model.TRANSFER_DIRECTION_OUT]),
        )  # fmt: skip
        self.transfers.append((await self._call("ApplyForTransfer", request)).transfer)

    async def _carry_on(self) -> None:
        if not self.transfers:
            return
        place = self.draw.randrange(len(self.transfers))
        one = self.transfers[place]
        number = builders.number()
        rpc, by, values = self.draw.choice(
            [
                ("SendContactLetter", CLERK, {}),
                ("ReceiveInformationForm", AREA, None),
                ("ReceiveFunds", AREA, {"funds_no": f"ZJ-{number:06d}", "amount": builders.money("14640.00")}),
                ("ReceiveContactLetter", AREA, {"letter_no": f"LX-{number:06d}"}),
                ("IssueInformationForm", CLERK, {}),
                ("SendFunds", CLERK, {}),
                ("ConfirmTransfer", AREA, {}),
                ("RefuseTransfer", CLERK, {"reason": "不再转移"}),
            ]
        )
        if values is None:
            request = a_form(one.transfer_id)
        else:
            request = getattr(moving_pb, f"{rpc}Request")(
                request_id=a_request_id("carry"), transfer_id=one.transfer_id, **values
            )
        self.transfers[place] = (await self._call(rpc, request, by=by)).transfer


@pytest.mark.parametrize("seed", [1, *(slow(seed) for seed in range(2, 13))])
async def test_the_rooms_leave_each_other_right(office: Bureau, seed: int) -> None:
    walk = RoomsWalk(office, seed, [await office.employer() for _ in range(2)], await a_government(office))

    for number in range(STEPS):
        await walk.step()
        if number % 10 == 0:
            url = office.database.settings.database_owner_url
            assert await oracle_enrollment.broken(url) == {}, f"seed {seed}, step {number}: {walk.last}"

    assert walk.done > STEPS / 4
