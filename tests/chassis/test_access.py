"""The access decision as a table: rule × caller × subject."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.access import AccessMissing, AccessRule, decide, person_of, rule_of, rules
from chassis.principal import Principal
from kernel import ids
from kernel.errors import DomainError
from tests.chassis.echo import pb

ME, OTHER = ids.new_id(), ids.new_id()
OURS, THEIRS = ids.new_id(), ids.new_id()
MINE, STRANGE = ids.to_text("per", ME), ids.to_text("per", OTHER)
OK = "ok"


def caller(*roles: str, acr: int = 2, scopes: tuple[str, ...] = (), purpose: str = "", case_no: str = "") -> Principal:
    return Principal(
        subject="idp|x",
        client="c",
        roles=frozenset(roles),
        scopes=frozenset(scopes),
        person_id=ME if "CITIZEN" in roles else None,
        employer_ids=frozenset({OURS}) if "EMPLOYER_AGENT" in roles else frozenset(),
        acr=acr,
        purpose=purpose,
        case_no=case_no,
    )


def outcome(rpc: str, principal: Principal, request: Any) -> str:
    method = pb.service("EchoService").methods_by_name[rpc]
    try:
        decide(rule_of(method), principal, request)
    except DomainError as error:
        return f"{type(error).__name__} {error.reason}"
    return OK


def note(person_id: str = MINE) -> Any:
    return pb.TakeNoteRequest(person_id=person_id)


def of_employer(employer_id: Any) -> Any:
    text = ids.to_text("emp", employer_id) if employer_id else ""
    return pb.GetEmployerNoteRequest(owner=pb.Owner(employer_id=text))


NOT_FOUND = "NotFound PERSON_NOT_FOUND"
NO_ROLE = "Forbidden ROLE_NOT_ALLOWED"
CITIZEN, CLERK = caller("CITIZEN"), caller("CLERK", purpose="counter")


@pytest.mark.parametrize(
    ("rpc", "principal", "request_", "expected"),
    [
        # who are you
        ("TakeNote", Principal.anonymous(), note(), "Unauthenticated LOGIN_REQUIRED"),
        ("TakeNote", Principal(), note(), "Unauthenticated LOGIN_REQUIRED"),
        ("Try", Principal.anonymous(), pb.TryRequest(), OK),
        ("Try", CITIZEN, pb.TryRequest(), OK),
        # role
        ("TakeNote", CITIZEN, note(), OK),
        ("TakeNote", CLERK, note(), OK),
        ("TakeNote", caller("SUPERVISOR"), note(), NO_ROLE),
        ("TakeNote", caller("OPERATOR"), note(), NO_ROLE),
        ("TakeNote", caller("SYSTEM"), note(), NO_ROLE),
        ("TakeNote", caller("PUBLIC"), note(), NO_ROLE),
        ("TakeNote", caller(), note(), NO_ROLE),
        ("FindNote", CITIZEN, pb.FindNoteRequest(), NO_ROLE),
        # scope of partners
        ("TakeNote", caller("PARTNER", acr=0, scopes=("notes.write", "x")), note(STRANGE), OK),
        ("TakeNote", caller("PARTNER", scopes=("notes.read",)), note(), "Forbidden SCOPE_MISSING"),
        ("TakeNote", caller("PARTNER"), note(), "Forbidden SCOPE_MISSING"),
        ("GetNote", caller("PARTNER", scopes=("notes.write",)), pb.GetNoteRequest(person_id=MINE), NO_ROLE),
        ("TakeNote", caller("CITIZEN", scopes=()), note(), OK),
        # assurance
        ("TakeNote", caller("CITIZEN", acr=1), note(), "Unauthenticated INSUFFICIENT_ACR"),
        ("TakeNote", caller("CLERK", acr=1), note(), "Unauthenticated INSUFFICIENT_ACR"),
        ("TakeNote", caller("CITIZEN", acr=4), note(), OK),
        # relation to the person; staff and partners are not bound by it
        ("TakeNote", CITIZEN, note(STRANGE), NOT_FOUND),
        ("TakeNote", CITIZEN, note("per_nonsense"), NOT_FOUND),
        ("TakeNote", CITIZEN, note(MINE.upper()), NOT_FOUND),
        ("TakeNote", CITIZEN, note(""), "InvalidInput SUBJECT_REQUIRED"),
        ("TakeNote", CLERK, note(STRANGE), OK),
        ("TakeNote", caller("CITIZEN", "CLERK"), note(STRANGE), OK),
        ("TakeNote", caller("CITIZEN", "SUPERVISOR"), note(STRANGE), NOT_FOUND),
        # purpose of staff
        ("GetNote", CLERK, pb.GetNoteRequest(person_id=STRANGE), OK),
        ("GetNote", caller("CLERK", case_no="3206"), pb.GetNoteRequest(person_id=STRANGE), OK),
        ("GetNote", caller("CLERK"), pb.GetNoteRequest(person_id=STRANGE), "InvalidInput PURPOSE_REQUIRED"),
        ("GetNote", caller("CLERK", purpose=" \t"), pb.GetNoteRequest(), "InvalidInput PURPOSE_REQUIRED"),
        ("GetNote", CITIZEN, pb.GetNoteRequest(person_id=MINE), OK),
        ("FindNote", caller("CLERK"), pb.FindNoteRequest(code="1"), "InvalidInput PURPOSE_REQUIRED"),
        # a record whose person only the operation knows; a scope that every partner has
        ("GetRecord", CITIZEN, pb.GetRecordRequest(record_id="x"), OK),
        ("GetRecord", caller("PARTNER"), pb.GetRecordRequest(record_id="x"), OK),
        # relation to the employer, in a field of a field
        ("GetEmployerNote", caller("EMPLOYER_AGENT"), of_employer(OURS), OK),
        ("GetEmployerNote", caller("EMPLOYER_AGENT"), of_employer(THEIRS), "NotFound EMPLOYER_NOT_FOUND"),
        ("GetEmployerNote", caller("EMPLOYER_AGENT"), of_employer(None), "InvalidInput SUBJECT_REQUIRED"),
        ("GetEmployerNote", caller("EMPLOYER_AGENT"), pb.GetEmployerNoteRequest(), "InvalidInput SUBJECT_REQUIRED"),
        ("GetEmployerNote", CITIZEN, of_employer(OURS), NO_ROLE),
    ],
)
def test_the_decision(rpc: str, principal: Principal, request_: Any, expected: str) -> None:
    assert outcome(rpc, principal, request_) == expected


def test_the_needed_assurance_is_named() -> None:
    with pytest.raises(DomainError) as caught:
        decide(AccessRule(frozenset({"CITIZEN"}), min_acr=3), caller("CITIZEN"), None)

    assert caught.value.metadata == {"acr": "3"}


def test_a_stranger_and_nobody_get_the_same_words() -> None:
    texts = set()
    for text in (STRANGE, ids.to_text("per", ids.new_id()), "per_x", "emp_" + "0" * 32):
        with pytest.raises(DomainError) as caught:
            decide(rule_of(pb.service("EchoService").methods_by_name["TakeNote"]), CITIZEN, note(text))
        texts.add((str(caught.value), str(caught.value.metadata), caught.value.field))

    assert len(texts) == 1


@pytest.mark.parametrize("service", ["BareService", "LostService", "OpenService"])
def test_an_incomplete_rule_is_refused_when_the_service_starts(service: str) -> None:
    with pytest.raises(AccessMissing):
        rules(pb.service(service))


def test_every_method_has_its_rule() -> None:
    found = rules(pb.service("EchoService"))

    assert len(found) == 6
    assert found["/hrss.echo.v1.EchoService/FindNote"].purpose_required


def test_the_person_of_a_request_is_known_where_the_rule_names_one() -> None:
    methods = pb.service("EchoService").methods_by_name

    assert person_of(rule_of(methods["GetNote"]), pb.GetNoteRequest(person_id=MINE)) == MINE
    assert person_of(rule_of(methods["GetNote"]), pb.GetNoteRequest(person_id="per_x")) == ""
    assert person_of(rule_of(methods["FindNote"]), pb.FindNoteRequest(code=MINE)) == ""
