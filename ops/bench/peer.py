"""`python -m ops.bench.peer`: the same hop as one writes it with FastAPI and pydantic, to measure our edge against.

An honest peer: one process on uvloop and httptools, models that check what the edge checks, a token verified once and
remembered by its hash, one kept channel, answers written by pydantic. Bare, it does less than the edge: it signs no
assertion, counts no limits, writes no log line, keeps no metrics. With `PEER_DUTIES=yes` it does these too, each in the
cheapest way that we know (`ops/bench/duties.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal

import grpc
import grpc.aio
import httpx
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field

from chassis.principal import METADATA_KEY
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import calendar_pb2, money_pb2
from ops.bench import duties
from ops.http import write_ready

SERVICE = "/hrss.enrollment.v1.EnrollmentService"
SECONDS = 4.9
SCOPE = "enrollment.write"
MonthText = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
MoneyText = Annotated[str, Field(pattern=r"^-?(0|[1-9][0-9]{0,12})\.[0-9]{2}$")]


class Strict(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class EnrollPerson(Strict):
    """Request of an enrolment."""

    employer_id: Annotated[str, Field(max_length=64)]
    name: Annotated[str, Field(min_length=1, max_length=4096)]
    id_no: Annotated[str, Field(max_length=4096)]
    phone: Annotated[str, Field(max_length=4096)] = ""
    start_month: MonthText
    wage: MoneyText
    post: Literal["POST_PRODUCTION", "POST_MANAGEMENT"] | None = None


class Wage(BaseModel):
    """A declared wage."""

    from_month: str
    wage: str


class Participation(BaseModel):
    """A participation."""

    participation_id: str
    person_id: str
    employer_id: str
    scheme: str
    state: str
    start_month: str
    end_month: str | None = None
    end_reason: str
    track: str


class Enrollment(BaseModel):
    """An enrolment."""

    enrollment_id: str
    person_id: str
    employer_id: str
    start_month: str
    end_month: str | None = None
    end_reason: str
    post: str
    wages: list[Wage]
    participations: list[Participation]


class Enrolled(BaseModel):
    """Answer of an enrolment."""

    enrollment: Enrollment
    person_created: bool


class Shown(BaseModel):
    """Answer of a look-up."""

    enrollment: Enrollment


class Month(BaseModel):
    """A contribution month."""

    month: str
    scheme: str
    base: str
    employer: str
    employee: str
    state: str
    source: str


class Months(BaseModel):
    """Answer of the contributions of a year."""

    months: list[Month]
    next_page_token: str


class Caller(BaseModel):
    """Who calls."""

    subject: str
    client: str


class Gateway:
    """What the routes share: the keys, the tokens that were good, the channel."""

    def __init__(self) -> None:
        issuer = os.environ["HRSS_IDP_ISSUER"]
        found = httpx.get(f"{issuer}/.well-known/openid-configuration").raise_for_status().json()
        self.issuer = issuer
        self.keys = KeySet.import_key_set(httpx.get(found["jwks_uri"]).raise_for_status().json())
        self.known: dict[bytes, tuple[float, Caller]] = {}
        self.calls: dict[str, Any] = {}
        self.vouch = duties.voucher() if duties.are_asked else None

    def open(self) -> None:
        """Open the channel inside the running loop."""
        channel = grpc.aio.insecure_channel(os.environ["HRSS_ENROLLMENT_ADDRESS"])
        for name, request, response in (
            ("EnrollPerson", pb.EnrollPersonRequest, pb.EnrollPersonResponse),
            ("GetEnrollment", pb.GetEnrollmentRequest, pb.GetEnrollmentResponse),
            ("ListContributions", pb.ListContributionsRequest, pb.ListContributionsResponse),
        ):
            self.calls[name] = channel.unary_unary(
                f"{SERVICE}/{name}",
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )

    async def call(self, name: str, request: Any, caller: Caller, request_id: str) -> Any:
        """Call the backend with who calls as metadata."""
        metadata: tuple[tuple[str, str | bytes], ...]
        if self.vouch is not None:
            signed = self.vouch(f"{SERVICE}/{name}", request.SerializeToString(), caller.subject, caller.client)
            metadata = ((METADATA_KEY, signed),)
        else:
            metadata = (("subject", caller.subject), ("client", caller.client), ("request-id", request_id))
        try:
            return await self.calls[name](request, timeout=SECONDS, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise HTTPException(502, error.code().name) from None


gateway = Gateway()
app = FastAPI(title="peer")


async def caller(authorization: Annotated[str, Header()]) -> Caller:
    """Who calls; a good token is remembered by its hash."""
    token = authorization.removeprefix("Bearer ")
    digest = hashlib.sha256(token.encode()).digest()
    known = gateway.known.get(digest)
    if known is not None and known[0] > time.time():
        return known[1]
    try:
        claims = jwt.decode(token, gateway.keys, algorithms=["ES256"]).claims
    except (JoseError, ValueError):
        raise HTTPException(401, "TOKEN_INVALID") from None
    if claims["iss"] != gateway.issuer or claims["exp"] <= time.time() or SCOPE not in claims["scope"].split():
        raise HTTPException(403, "SCOPE_MISSING")
    found = Caller(subject=claims["sub"], client=claims["client_id"])
    gateway.known[digest] = (claims["exp"], found)
    return found


@app.post("/v1/enrollments", status_code=201)
async def enroll(
    body: EnrollPerson,
    who: Annotated[Caller, Depends(caller)],
    request: Request,
    idempotency_key: Annotated[str, Header(min_length=8, max_length=255)],
) -> Enrolled:
    """Enrol a person."""
    key = hashlib.sha256(f"{who.client}|{who.subject}|enroll|{idempotency_key}".encode()).hexdigest()
    message = pb.EnrollPersonRequest(
        request_id=key,
        employer_id=body.employer_id,
        name=body.name,
        id_no=body.id_no,
        phone=body.phone,
        start_month=_month(body.start_month),
        wage=money_pb2.Money(fen=int(body.wage.replace(".", ""))),
        post=model.Post.Value(body.post) if body.post else model.POST_UNSPECIFIED,
    )
    reply = await gateway.call("EnrollPerson", message, who, request.headers.get("x-request-id") or uuid.uuid4().hex)
    return Enrolled(enrollment=_enrollment(reply.enrollment), person_created=reply.person_created)


@app.get("/v1/enrollments/{enrollment_id}")
async def show(enrollment_id: str, who: Annotated[Caller, Depends(caller)], request: Request) -> Shown:
    """Show an enrolment."""
    message = pb.GetEnrollmentRequest(enrollment_id=enrollment_id)
    reply = await gateway.call("GetEnrollment", message, who, request.headers.get("x-request-id") or uuid.uuid4().hex)
    return Shown(enrollment=_enrollment(reply.enrollment))


@app.get("/v1/persons/{person_id}/contributions")
async def contributions(
    person_id: str,
    who: Annotated[Caller, Depends(caller)],
    request: Request,
    year: Annotated[int, Query(ge=0, le=9999)] = 0,
    page_size: Annotated[int, Query(ge=0, le=200)] = 0,
) -> Months:
    """List the contributions of a year."""
    message = pb.ListContributionsRequest(person_id=person_id, year=year, page_size=page_size)
    given = request.headers.get("x-request-id") or uuid.uuid4().hex
    reply = await gateway.call("ListContributions", message, who, given)
    months = [
        Month(
            month=_month_text(each.month),
            scheme=model.Scheme.Name(each.scheme),
            base=_money_text(each.base),
            employer=_money_text(each.employer),
            employee=_money_text(each.employee),
            state=model.ContributionState.Name(each.state),
            source=each.source,
        )
        for each in reply.months
    ]
    return Months(months=months, next_page_token=reply.next_page_token)


def _money_text(money: money_pb2.Money) -> str:
    return f"{money.fen // 100}.{money.fen % 100:02d}"


def _month(text: str) -> calendar_pb2.Month:
    year, month = text.split("-")
    return calendar_pb2.Month(year=int(year), month=int(month))


def _month_text(month: calendar_pb2.Month) -> str:
    return f"{month.year:04d}-{month.month:02d}"


def _enrollment(one: model.Enrollment) -> Enrollment:
    return Enrollment(
        enrollment_id=one.enrollment_id,
        person_id=one.person_id,
        employer_id=one.employer_id,
        start_month=_month_text(one.start_month),
        end_month=_month_text(one.end_month) if one.HasField("end_month") else None,
        end_reason=model.EndReason.Name(one.end_reason),
        post=model.Post.Name(one.post),
        wages=[Wage(from_month=_month_text(each.from_month), wage=_money_text(each.wage)) for each in one.wages],
        participations=[
            Participation(
                participation_id=each.participation_id,
                person_id=each.person_id,
                employer_id=each.employer_id,
                scheme=model.Scheme.Name(each.scheme),
                state=model.ParticipationState.Name(each.state),
                start_month=_month_text(each.start_month),
                end_month=_month_text(each.end_month) if each.HasField("end_month") else None,
                end_reason=model.EndReason.Name(each.end_reason),
                track=model.Track.Name(each.track),
            )
            for each in one.participations
        ],
    )


async def main() -> None:
    """Serve until the process is ended."""
    gateway.open()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    served = duties.Duties(app) if duties.are_asked else app
    configuration = uvicorn.Config(
        served, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False
    )
    server = uvicorn.Server(configuration)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by nothing else
        await asyncio.sleep(0.01)
    write_ready(Path(os.environ["HRSS_READY_FILE"]), name="peer", port=listener.getsockname()[1], details={})
    await serving


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
