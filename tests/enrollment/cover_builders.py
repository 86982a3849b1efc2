"""Valid requests of CoverService; each test changes what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from tests.enrollment.builders import NOW, PARTNER, TODAY, an_id_no, day, money, month, number
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from kernel.calendar import Month
    from tests.enrollment.conftest import Bureau

CLERK_COUNTER = a_principal(["CLERK"], purpose="counter", subject="idp|clerk")


def a_request_id(word: str) -> str:
    """A request id of its own."""
    return f"{word}-{number()}"


def a_flexible(**changes: Any) -> pb.EnrollFlexibleRequest:
    """A man who insures himself from this month on."""
    values = {
        "request_id": a_request_id("flexible"),
        "name": "李自强",
        "id_no": an_id_no() if "id_no" not in changes else "",
        "division": "320613",
        "start_month": month(NOW),
        "base": money("6000.00"),
        **changes,
    }
    return pb.EnrollFlexibleRequest(**values)


def a_resident(**changes: Any) -> pb.EnrollResidentRequest:
    """A man in the resident pension from this month on."""
    values = {
        "request_id": a_request_id("resident"),
        "name": "王守田",
        "id_no": an_id_no() if "id_no" not in changes else "",
        "division": "320613",
        "start_month": month(NOW),
        **changes,
    }
    return pb.EnrollResidentRequest(**values)


def a_post(employer_id: str, **changes: Any) -> pb.EnrollPostRequest:
    """A man in a government post from this month on."""
    values = {
        "request_id": a_request_id("post"),
        "employer_id": employer_id,
        "name": "周为民",
        "id_no": an_id_no() if "id_no" not in changes else "",
        "start_month": month(NOW),
        "wage": money("8000.00"),
        "post": model.POST_MANAGEMENT,
        **changes,
    }
    return pb.EnrollPostRequest(**values)


async def a_flexible_cover(bureau: Bureau, **changes: Any) -> model.Cover:
    """A flexible worker's cover."""
    cover: model.Cover = (await bureau.call("EnrollFlexible", a_flexible(**changes))).cover
    return cover


async def a_government(bureau: Bureau) -> str:
    """A government body."""
    employer_id = await bureau.employer()
    await bureau.call(
        "SetEmployerKind",
        pb.SetEmployerKindRequest(
            request_id=a_request_id("kind"), employer_id=employer_id, kind=pb.EMPLOYER_KIND_GOVERNMENT
        ),
    )
    return employer_id


async def a_cover_bill(bureau: Bureau, cover_id: str, value: Month = NOW, **kwargs: Any) -> model.Bill:
    """A flexible worker's bill of a month."""
    request = pb.AssessCoverBillRequest(request_id=a_request_id("own"), cover_id=cover_id, month=month(value))
    bill: model.Bill = (await bureau.call("AssessCoverBill", request, **kwargs)).bill
    return bill


async def months_of(bureau: Bureau, person_id: str) -> list[tuple[str, int, int]]:
    """Stored contribution months of a person: month, scheme, base in fen."""
    rows = await bureau.rows(
        "SELECT month, scheme, base_fen FROM contribution WHERE person_id = $1::uuid ORDER BY month, scheme",
        person_id.removeprefix("per_"),
    )
    return [(str(row["month"])[:7], row["scheme"], row["base_fen"]) for row in rows]


def a_single_receipt(kind: Any, amount_fen: int, **subject: str) -> Any:
    """The receipt of a resident payment, a project or a platform's month."""
    return kind(
        request_id=a_request_id("receipt"),
        receipt_no=f"ONE-{number():08d}",
        amount={"fen": amount_fen},
        paid_date=day(TODAY),
        simulated=True,
        **subject,
    )


__all__ = ["PARTNER"]
