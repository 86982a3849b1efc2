"""`python -m ops.bench.stub`: a backend that answers three RPCs with bytes made before: only the way there counts.

Both gateways of the bare hop call this same process. It looks at nothing: no assertion, no request.
"""

from __future__ import annotations

import os
from pathlib import Path

import grpc
import grpc.aio
import uvloop

from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import calendar_pb2, money_pb2
from kernel import ids
from ops.http import write_ready

SERVICE = "hrss.enrollment.v1.EnrollmentService"
SCHEMES = (model.SCHEME_EMPLOYEE_PENSION, model.SCHEME_UNEMPLOYMENT, model.SCHEME_WORK_INJURY)


def a_year() -> pb.ListContributionsResponse:
    """A year of contributions as the service answers it: twelve months in three schemes."""
    months = [
        model.ContributionMonth(
            month=calendar_pb2.Month(year=2026, month=number),
            scheme=scheme,
            base=money_pb2.Money(fen=620_000),
            employer=money_pb2.Money(fen=99_200),
            employee=money_pb2.Money(fen=49_600),
            state=model.CONTRIBUTION_STATE_PAID,
            source="bill:" + ids.to_text("bil", ids.new_id()),
        )
        for number in range(12, 0, -1)
        for scheme in SCHEMES
    ]
    return pb.ListContributionsResponse(months=months)


def an_enrollment() -> model.Enrollment:
    """An enrolment as the service answers it: one wage, three participations."""
    person, employer = ids.to_text("per", ids.new_id()), ids.to_text("emp", ids.new_id())
    month = calendar_pb2.Month(year=2026, month=11)
    participations = [
        model.Participation(
            participation_id=ids.to_text("par", ids.new_id()),
            person_id=person,
            employer_id=employer,
            scheme=scheme,
            state=model.PARTICIPATION_STATE_ACTIVE,
            start_month=month,
            track=model.TRACK_MALE_60,
        )
        for scheme in SCHEMES
    ]
    return model.Enrollment(
        enrollment_id=ids.to_text("enr", ids.new_id()),
        person_id=person,
        employer_id=employer,
        start_month=month,
        post=model.POST_MANAGEMENT,
        wages=[model.DeclaredWage(from_month=month, wage=money_pb2.Money(fen=620_000))],
        participations=participations,
    )


async def main() -> None:
    """Serve until the process is ended."""
    one = an_enrollment()
    answers = {
        "EnrollPerson": pb.EnrollPersonResponse(enrollment=one, person_created=True).SerializeToString(),
        "ListContributions": a_year().SerializeToString(),
        "GetEnrollment": pb.GetEnrollmentResponse(enrollment=one).SerializeToString(),
    }

    def handler(answer: bytes) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def reply(_request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            return answer

        return grpc.unary_unary_rpc_method_handler(reply)

    server = grpc.aio.server()
    handlers = {name: handler(answer) for name, answer in answers.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    details = {"enrollment_id": one.enrollment_id, "employer_id": one.employer_id, "person_id": one.person_id}
    write_ready(Path(os.environ["HRSS_READY_FILE"]), name="stub", port=port, details=details)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main())
