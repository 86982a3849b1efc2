"""Who may call what: every RPC × role × relation, decided by the production code, against a table that people review.

The table is `access.yaml`. A change of an access option shows there as a changed line; after review it is written anew
with `python tests/contract/test_access_table.py`.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[2] / "gen")]

from chassis.access import AccessRule, decide
from chassis.principal import Principal
from kernel import ids
from kernel.errors import DomainError, Forbidden, InvalidInput, NotFound, Unauthenticated
from services.gateway.edge import files
from services.gateway.edge.contract import Route, routes

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

OPEN = {
    "ListItems",
    "GetItem",
    "ListBundles",
    "TrackCase",
    "GetTrustList",
    "GetStatusList",
    "GetStatusDelta",
}  # the catalogue, the state of a case whose number one has, and what verifiers need of cards: keys and status lists
TABLE = Path(__file__).with_name("access.yaml")
HEAD = """\
# Who may call what, as the production code decides it. One line per RPC; a role that is not named may not call.
#   citizen, employer_agent: "own" = own record only, another's is not found; "own row" = the same, decided by the
#                            service when it has loaded the record; "any" = no relation is asked;
#                            "acr n" = least assurance of the login
#   clerk, supervisor, auditor, operator: "yes", or "purpose" = must state a purpose or case number; "acr n" as above
#   partner: the scopes of which one is needed; "*" = any partner
#   nobody: "yes" = without a login, and so with any
# Made by tests/contract/test_access_table.py; every change of a line is a change of who sees or changes what.
"""
STAFF = ("CLERK", "SUPERVISOR", "AUDITOR", "OPERATOR")
SELF, OTHER = ids.parse("per", "per_" + "1" * 32), ids.parse("per", "per_" + "2" * 32)
MINE, THEIRS = ids.parse("emp", "emp_" + "1" * 32), ids.parse("emp", "emp_" + "2" * 32)


def outcome(rule: AccessRule, principal: Principal, request: Any) -> str:
    """What the production code says: "yes" or the kind of refusal."""
    try:
        decide(rule, principal, request)
    except DomainError as error:
        return error.reason
    return "yes"


def request_about(route: Route, subject: UUID, prefix: str) -> Any:
    """A request whose subject is a record of somebody."""
    request: Any = route.request()
    if route.rule.subject_kind == prefix:
        *path, last = route.rule.subject.split(".")
        inner = request
        for part in path:
            inner = getattr(inner, part)
        setattr(inner, last, ids.to_text(prefix, subject))
    return request


def person(acr: int = 4) -> Principal:
    """A citizen, behind whom SELF stands."""
    return Principal(subject="idp|c", client="app", roles=frozenset({"CITIZEN"}), person_id=SELF, acr=acr)


def agent(acr: int = 4) -> Principal:
    """An agent of the employer MINE."""
    return Principal(
        subject="idp|a", client="app", roles=frozenset({"EMPLOYER_AGENT"}), employer_ids=frozenset({MINE}), acr=acr
    )


def related(route: Route, make: Callable[[int], Principal], prefix: str, own: UUID, other: UUID) -> str:
    """The cell of somebody who is bound by a relation."""
    mine = outcome(route.rule, make(4), request_about(route, own, prefix))
    if mine == "ROLE_NOT_ALLOWED":
        return ""
    assert mine in {"yes", "SUBJECT_REQUIRED", "PERSON_NOT_FOUND", "EMPLOYER_NOT_FOUND"}, (route.rpc, mine)
    theirs = outcome(route.rule, make(4), request_about(route, other, prefix))
    if theirs in {"PERSON_NOT_FOUND", "EMPLOYER_NOT_FOUND"}:
        cell = "own"
    else:
        cell = "any" if route.rule.relation == "NONE" else "own row"
    least = next(acr for acr in range(1, 5) if outcome(route.rule, make(acr), None) == "yes")
    return cell if least == 1 else f"{cell}, acr {least}"


def staff(rule: AccessRule, role: str) -> str:
    """The cell of a member of staff."""

    def answer(acr: int, purpose: str = "") -> str:
        given = Principal(subject="idp|s", client="desk", roles=frozenset({role}), acr=acr, purpose=purpose)
        return outcome(rule, given, None)

    without = answer(4)
    if without not in {"yes", "PURPOSE_REQUIRED"}:
        return ""
    cell = "yes" if without == "yes" else "purpose"
    least = next(acr for acr in range(1, 5) if answer(acr, "counter") == "yes")
    return cell if least == 1 else f"{cell}, acr {least}"


def partner(rule: AccessRule, scopes: set[str]) -> list[str]:
    """The scopes that open an RPC to a partner."""
    if "*" in rule.scopes and "PARTNER" in rule.roles:
        return ["*"]

    def opens(scope: str) -> bool:
        asked = Principal(subject="p", client="p", roles=frozenset({"PARTNER"}), scopes=frozenset({scope}))
        return outcome(rule, asked, None) == "yes"

    return sorted(scope for scope in scopes if opens(scope))


@functools.cache
def table() -> dict[str, dict[str, Any]]:
    """Who may call what, decided now."""
    known = routes()
    scopes = {scope for route in known for scope in route.rule.scopes}
    made = {route.descriptor.name: _row(route, scopes) for route in known}
    made["UploadFile"] = {"route": f"POST {files.PATH}", **_of_rule(files.RULE, scopes)}
    return made


def _row(route: Route, scopes: set[str]) -> dict[str, Any]:
    if outcome(route.rule, Principal.anonymous(), None) == "yes":
        return {"route": f"{route.method} {route.template}", "nobody": "yes"}  # then everybody else may, too
    citizen = related(route, person, "per", SELF, OTHER)
    bound = related(route, agent, "emp", MINE, THEIRS)
    row: dict[str, Any] = {"route": f"{route.method} {route.template}"}
    row |= {"citizen": citizen} if citizen else {}
    row |= {"employer_agent": bound} if bound else {}
    return row | _of_rule(route.rule, scopes)


def _of_rule(rule: AccessRule, scopes: set[str]) -> dict[str, Any]:
    row: dict[str, Any] = {role.lower(): cell for role in STAFF if (cell := staff(rule, role))}
    if open_to := partner(rule, scopes):
        row["partner"] = open_to
    return row


def write() -> str:
    """The text of the table."""
    lines = [HEAD]
    for name, row in table().items():
        cells = yaml.safe_dump(row, default_flow_style=True, sort_keys=False, width=10_000).strip()
        lines.append(f"{name}: {cells}\n")
    return "".join(lines)


EXPECTED: dict[str, dict[str, Any]] = yaml.safe_load(TABLE.read_text("utf-8")) if TABLE.exists() else {}


@pytest.mark.parametrize("name", sorted(table().keys() | EXPECTED.keys()))
def test_the_table_says_who_may_call(name: str) -> None:
    assert table().get(name) == EXPECTED.get(name)


def test_only_what_is_meant_to_be_is_open_without_a_login() -> None:
    assert {name for name, row in table().items() if "nobody" in row} <= OPEN


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.descriptor.name)
def test_a_stranger_is_told_to_log_in_and_a_system_has_no_way_in(route: Route) -> None:
    if route.rule.is_public:
        assert route.descriptor.name in OPEN
        return
    assert outcome(route.rule, Principal.anonymous(), None) == "LOGIN_REQUIRED"
    assert outcome(route.rule, Principal.system("jobs"), None) == "ROLE_NOT_ALLOWED"


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.descriptor.name)
def test_a_refusal_never_says_whether_a_record_exists(route: Route) -> None:
    for principal in (person(), agent()):
        for subject, prefix in ((OTHER, "per"), (THEIRS, "emp")):
            try:
                decide(route.rule, principal, request_about(route, subject, prefix))
            except (Forbidden, NotFound, InvalidInput, Unauthenticated) as error:
                assert not error.metadata  # noqa: PT017 - what is checked is what a refusal carries


@pytest.mark.parametrize(
    "route", [route for route in routes() if route.idempotent_by_key], ids=lambda r: r.descriptor.name
)
def test_no_member_of_staff_moves_money_with_a_password_alone(route: Route) -> None:
    cells = [cell for role in ("CLERK", "SUPERVISOR") if (cell := staff(route.rule, role))]

    assert all("acr" in cell for cell in cells)


def test_whoever_checks_never_changes() -> None:
    changing = [route for route in routes() if route.idempotent_by_key]

    # A proof of the books is a job, so it has a key; it changes nothing of what it proves.
    proofs = {"CheckBooks", "CheckBenefitBooks"}
    changing = [route for route in changing if route.descriptor.name not in proofs]
    assert not [route.rpc for route in changing if "AUDITOR" in route.rule.roles]
    # Operators keep the signing keys of cards, which say nothing of anybody; a second one puts a key into use.
    keys = ["GenerateKey", "ChangeKey", "PublishTrustList"]
    assert [route.descriptor.name for route in changing if "OPERATOR" in route.rule.roles] == ["SetTestClock", *keys]


if __name__ == "__main__":
    TABLE.write_text(write(), "utf-8")
