"""Years of the accounts beside the employee pension in the contract."""

from collections.abc import Sequence

from chassis.jobs import Job
from chassis.values import to_job, to_money, to_statement
from hrss.enrollment.v1 import cover_service_pb2 as pb
from kernel.errors import InvalidInput
from services.enrollment.cover_money import SchemeYear
from services.enrollment.domain.contributions import Scheme
from services.enrollment.messages.words import SCHEMES

_CLOSED = (Scheme.RESIDENT_PENSION, Scheme.GOVERNMENT_PENSION, Scheme.OCCUPATIONAL_ANNUITY)


def closing(request: pb.CloseSchemeAccountYearRequest) -> tuple[Scheme, int]:
    """Read CloseSchemeAccountYear.

    Raises:
        InvalidInput: SCHEME_INVALID for a scheme that has no such accounts.
    """
    for scheme in _CLOSED:
        if request.scheme == SCHEMES[scheme]:
            return scheme, request.year
    raise InvalidInput(
        "SCHEME_INVALID", "residents, government posts and the annuity have such accounts", field="scheme"
    )


def closed(job: Job) -> pb.CloseSchemeAccountYearResponse:
    """Answer CloseSchemeAccountYear."""
    return pb.CloseSchemeAccountYearResponse(job=to_job(job))


def years(found: Sequence[SchemeYear]) -> pb.ListSchemeAccountYearsResponse:
    """Answer ListSchemeAccountYears."""
    return pb.ListSchemeAccountYearsResponse(
        years=[
            pb.SchemeAccountYear(
                scheme=SCHEMES[one.scheme],
                year=one.year,
                opening=to_money(one.opening),
                contribution=to_money(one.contribution),
                interest=to_money(one.interest),
                statement=to_statement(one.statement, one.policy_version),
            )
            for one in found
        ]
    )
