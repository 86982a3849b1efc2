"""What an item, a step and a bundle are. A step is one call to one service, made from the form and earlier answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from google.protobuf.message_factory import GetMessageClass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from uuid import UUID

    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
    from google.protobuf.message import Message

    from chassis.principal import Principal
    from hrss.gateway.v1 import cases_service_pb2 as pb


class Phase(StrEnum):
    """When a step is worked on."""

    SUBMIT = "SUBMIT"
    ACCEPT = "ACCEPT"
    APPROVE = "APPROVE"
    REJECT = "REJECT"


@dataclass(frozen=True, slots=True)
class Work:
    """What a step is made from.

    Args:
        person_id: Whom the case is about, "per_…"; empty until a new person is registered.
        form: What was filled in.
        results: What earlier steps kept, by step.
        digest: Digest of the statement that is decided.
        reason: Why it is rejected.
        submit_date: Day on which the case was handed in.
    """

    person_id: str
    form: pb.CaseForm
    results: Mapping[str, Mapping[str, str]]
    digest: str
    reason: str
    submit_date: date


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept of a service's answer.

    Args:
        result_id: What the step led to, for example "ben_…".
        keep: Short values for later steps; no personal data.
        statement: The statement to be decided, as bytes of `hrss.type.v1.Statement`.
        digest: Digest of that statement.
        person_id: The person that the case turned out to be about.
        division: Division code of the place.
    """

    result_id: str = ""
    keep: Mapping[str, str] = field(default_factory=dict)
    statement: bytes = b""
    digest: str = ""
    person_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One call to one service.

    Args:
        name: Unique in the item; part of the request id, so it never changes its meaning.
        phase: When.
        method: The RPC.
        build: Makes the request; None when there is nothing to do.
        read: Takes from the reply what is kept; may raise DomainError when the answer is a no.
        done_on: Refusals that say that the effect exists already.
    """

    name: str
    phase: Phase
    method: MethodDescriptor
    build: Callable[[Work], Message | None]
    read: Callable[[Work, Any], Outcome]
    done_on: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """The RPC as it is called."""
        service = self.method.containing_service
        assert service is not None
        return f"/{service.full_name}/{self.method.name}"

    @property
    def service(self) -> str:
        """The service that is called."""
        return self.path.split(".")[1]

    def reply(self, body: bytes) -> Any:
        """The reply from its bytes."""
        return GetMessageClass(self.method.output_type).FromString(body)


@dataclass(frozen=True, slots=True)
class Item:
    """What can be applied for (事项).

    Args:
        code: For example "BE01".
        form: The field of CaseForm that it takes.
        roles: Who may apply.
        required: Paths inside its form that must be filled in.
        is_instant: Answered by the rules at once (即办件); else accepted and decided by two persons (承诺件).
        waits: Whether an instant item of this applicant first waits for a clerk's acceptance.
        acr: Least assurance of a citizen's login.
        steps: What is done, in order.
        keep: What is kept of the form itself when the case is handed in, for later steps and other parts.
        for_family: Whether a delegate may apply for a ward (代为办事): one that pays nobody but the ward.
        names_person: Whether the applicant says whom it is about; else a step finds out.
    """

    code: str
    form: str
    roles: frozenset[str]
    required: tuple[str, ...]
    is_instant: bool
    steps: tuple[Step, ...] = ()
    waits: Callable[[Principal], bool] = lambda _principal: False
    acr: Callable[[Any], int] = lambda _form: 2
    keep: Callable[[Work], Mapping[str, str]] = lambda _work: {}
    names_person: bool = True
    for_family: bool = False

    def of(self, phase: Phase) -> tuple[Step, ...]:
        """The steps of a phase."""
        return tuple(step for step in self.steps if step.phase is phase)

    def step(self, name: str) -> Step:
        """A step by its name."""
        return next(step for step in self.steps if step.name == name)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bundle: an item, and the parts that must be done before its turn comes."""

    code: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """Several items as one (一件事): one form, one number, one progress."""

    code: str
    parts: tuple[Part, ...]

    def needs(self, code: str) -> tuple[str, ...]:
        """What must be done before a part."""
        return next(part.needs for part in self.parts if part.code == code)


def rpc(service: ServiceDescriptor, name: str) -> MethodDescriptor:
    """An RPC of the contract."""
    return service.methods_by_name[name]


def nothing(_work: Work, _reply: Any) -> Outcome:
    """Of an answer that is only a yes."""
    return Outcome()


APPLICANTS = frozenset({"CITIZEN", "CLERK"})
