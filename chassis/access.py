"""Who may call an RPC: read from the access option in the contract, decided the same way in services and gateway.

Default deny: an RPC without the option has no rule, and a service that has such an RPC does not start.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from chassis.principal import STAFF, Principal, employer_not_found, person_not_found
from hrss.options.v1 import options_pb2
from kernel import ids
from kernel.errors import DomainError, Forbidden, InvalidInput, Unauthenticated

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
    from google.protobuf.message import Message

RELATED = frozenset({"CITIZEN", "EMPLOYER_AGENT"})  # roles that reach records through a relation only
ANY_SCOPE = "*"  # in a rule: every partner, whatever it was granted
_PREFIX = "ROLE_"


class AccessMissing(Exception):  # noqa: N818 - read by developers as a sentence
    """An RPC says nothing about who may call it."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """The access option of one RPC, with the names that principals carry."""

    roles: frozenset[str]
    scopes: frozenset[str] = frozenset()
    min_acr: int = 0
    subject: str = ""
    relation: str = "NONE"
    purpose_required: bool = False

    @property
    def is_public(self) -> bool:
        """Whether the RPC may be called without a login."""
        return "PUBLIC" in self.roles

    @property
    def subject_kind(self) -> str:
        """Which id the subject field holds: "per", "emp", or "" when only the operation can tell whose record it is."""
        last = self.subject.rpartition(".")[2]
        if last == "person_id" or last.endswith("_person_id"):
            return "per"
        return "emp" if last == "employer_id" or last.endswith("_employer_id") else ""


@lru_cache(maxsize=1024)
def rule_of(method: MethodDescriptor) -> AccessRule:
    """The access rule of an RPC.

    Raises:
        AccessMissing: The RPC has no access option, or one that allows nobody or names a field that does not exist.
    """
    option = method.GetOptions().Extensions[options_pb2.access]
    names = options_pb2.Role.DESCRIPTOR.values_by_number
    roles = frozenset(names[number].name.removeprefix(_PREFIX) for number in option.roles if number in names)
    if not roles or "UNSPECIFIED" in roles:
        raise AccessMissing(f"{method.full_name} does not say who may call it")
    if "PARTNER" in roles and not option.scopes:
        raise AccessMissing(f"{method.full_name} lets partners call but names no scope")
    _check_path(method, option.subject)
    relation = options_pb2.Relation.Name(option.relation).removeprefix("RELATION_")
    rule = AccessRule(
        roles=roles,
        scopes=frozenset(option.scopes),
        min_acr=option.min_acr,
        subject=option.subject,
        relation="NONE" if relation == "UNSPECIFIED" else relation,
        purpose_required=option.purpose_required,
    )
    if (rule.relation, rule.subject_kind) in {("SELF", "emp"), ("AGENT_OF", "per")}:
        raise AccessMissing(f"{method.full_name} asks for {rule.relation} of a subject that cannot have it")
    return rule


def rules(service: ServiceDescriptor) -> dict[str, AccessRule]:
    """The rule of each RPC of a service, by full gRPC method."""
    return {f"/{service.full_name}/{method.name}": rule_of(method) for method in service.methods}


def decide(rule: AccessRule, principal: Principal, request: Message | None) -> None:
    """Let the call through or refuse it.

    Raises:
        Unauthenticated: LOGIN_REQUIRED, INSUFFICIENT_ACR (metadata acr).
        Forbidden: ROLE_NOT_ALLOWED, SCOPE_MISSING.
        InvalidInput: PURPOSE_REQUIRED, SUBJECT_REQUIRED.
        NotFound: PERSON_NOT_FOUND, EMPLOYER_NOT_FOUND: the record is another's.
    """
    permit(rule, principal)
    if request is not None:
        relate(rule, principal, request)


def permit(rule: AccessRule, principal: Principal) -> None:
    """The part of the decision that needs no request: login, role, scope, assurance, purpose."""
    if rule.is_public:
        return
    if not principal.subject:
        raise Unauthenticated("LOGIN_REQUIRED", "this call needs a login")
    granted = rule.roles & principal.roles
    if not granted:
        raise Forbidden("ROLE_NOT_ALLOWED", "none of the caller's roles may do this")
    if granted == {"PARTNER"}:
        if ANY_SCOPE not in rule.scopes and rule.scopes.isdisjoint(principal.scopes):
            raise Forbidden(
                "SCOPE_MISSING", "the partner was not granted the scope", scope=" ".join(sorted(rule.scopes))
            )
        return
    if principal.acr < rule.min_acr:
        raise Unauthenticated("INSUFFICIENT_ACR", "the login is not sure enough for this", acr=str(rule.min_acr))
    if rule.purpose_required and granted & STAFF and not (principal.purpose.strip() or principal.case_no.strip()):
        raise InvalidInput("PURPOSE_REQUIRED", "staff state a purpose or a case number to open a record")


def relate(rule: AccessRule, principal: Principal, request: Message) -> None:
    """The part of the decision that looks at the subject of the request; it binds citizens and agents only."""
    if not is_bound(rule, principal) or not rule.subject_kind:
        return
    text = subject_of(rule, request)
    if not text:
        raise InvalidInput("SUBJECT_REQUIRED", "the request must say whose record it means", field=rule.subject)
    if rule.relation == "SELF":
        if principal.person_id is None or text != ids.to_text("per", principal.person_id):
            raise person_not_found()
    elif text not in {ids.to_text("emp", one) for one in principal.employer_ids}:
        raise employer_not_found()


def is_bound(rule: AccessRule, principal: Principal) -> bool:
    """Whether this caller may come in through the relation only.

    Where the request does not name the person or employer, the row must be loaded first: then the operation calls
    `principal.require_person` or `require_employer`, and the server sees to it that it did.
    """
    return rule.relation != "NONE" and not rule.is_public and rule.roles & principal.roles <= RELATED


def subject_of(rule: AccessRule, request: Message) -> str:
    """The text of the subject field of a request, empty when there is none."""
    value: object = request
    for part in rule.subject.split("."):
        value = getattr(value, part)
    return str(value)


def person_of(rule: AccessRule, request: Message) -> str:
    """The well-formed person id ("per_…") that the request is about, empty when the rule names none."""
    if rule.subject_kind != "per":
        return ""
    text = subject_of(rule, request)
    try:
        return ids.to_text("per", ids.parse("per", text))
    except DomainError:
        return ""


def _check_path(method: MethodDescriptor, path: str) -> None:
    message: Descriptor | None = method.input_type
    for part in path.split(".") if path else ():
        step = message.fields_by_name.get(part) if message is not None else None
        if step is None:
            raise AccessMissing(f"{method.full_name} names {path} as its subject, and the request has no such field")
        message = step.message_type
