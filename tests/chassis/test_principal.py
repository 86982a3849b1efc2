"""The assertion opens one method for one body for a minute, and only when the gateway signed it."""

from __future__ import annotations

import hashlib
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from chassis.principal import Principal, Signer, Verifier, create_keys
from kernel import ids
from kernel.errors import Forbidden, NotFound, Unauthenticated

if TYPE_CHECKING:
    from pathlib import Path

METHOD = "/hrss.echo.v1.EchoService/TakeNote"
DIGEST = hashlib.sha256(b"body").digest()
NOW = datetime(2025, 11, 23, 4, 0, tzinfo=UTC)
DAY = date(2025, 3, 1)
WHO = Principal(
    subject="idp|p-1",
    client="portal",
    roles=frozenset({"CITIZEN", "EMPLOYER_AGENT"}),
    person_id=ids.new_id(),
    employer_ids=frozenset({ids.new_id(), ids.new_id()}),
    acr=3,
    purpose="看一看",
    case_no="320602-20251123-1-000017-4",
    natural_person="idp|p-1",
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    create_keys(directory)
    return directory


@pytest.fixture(scope="module")
def signed(keys: Path) -> bytes:
    return Signer(keys).sign(WHO, method=METHOD, digest=DIGEST, now=NOW, business_date=DAY, request_id="req-1")


def refused(keys: Path, data: bytes | None, **changed: object) -> None:
    given: dict[str, object] = {"method": METHOD, "digest": DIGEST, "now": NOW, **changed}
    with pytest.raises(Unauthenticated) as caught:
        Verifier(keys).verify(data, **given)  # type: ignore[arg-type]  # the names are checked by the call itself
    assert caught.value.reason == "ASSERTION_REFUSED"


def test_a_good_assertion_says_who_and_on_which_day(keys: Path, signed: bytes) -> None:
    identity = Verifier(keys).verify(signed, method=METHOD, digest=DIGEST, now=NOW)

    assert identity.principal == WHO
    assert (identity.today, identity.request_id) == (DAY, "req-1")


@pytest.mark.parametrize("seconds", [-5, 0, 60, 65])
def test_it_is_good_for_a_minute_and_the_skew_of_clocks(keys: Path, signed: bytes, seconds: int) -> None:
    assert Verifier(keys).verify(signed, method=METHOD, digest=DIGEST, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-6, 66, 3600, -3600])
def test_expired_and_future_ones_are_refused(keys: Path, signed: bytes, seconds: int) -> None:
    refused(keys, signed, now=NOW + timedelta(seconds=seconds))


def test_it_opens_no_other_method_and_no_other_body(keys: Path, signed: bytes) -> None:
    refused(keys, signed, method="/hrss.echo.v1.EchoService/GetNote")
    refused(keys, signed, digest=hashlib.sha256(b"other").digest())
    refused(keys, signed, digest=b"")


def test_another_key_is_refused(tmp_path: Path, signed: bytes) -> None:
    create_keys(tmp_path)

    refused(tmp_path, signed)


def test_a_new_key_may_stand_beside_the_old_one(tmp_path: Path, keys: Path, signed: bytes) -> None:
    create_keys(tmp_path)
    both = tmp_path / "principal.pub"
    both.write_bytes(both.read_bytes() + (keys / "principal.pub").read_bytes())

    assert Verifier(tmp_path).verify(signed, method=METHOD, digest=DIGEST, now=NOW).principal == WHO


@pytest.mark.parametrize("data", [None, b"", b"x" * 64, b"x" * 200, b"x" * 100_000])
def test_nothing_and_nonsense_are_refused(keys: Path, data: bytes | None) -> None:
    refused(keys, data)


def test_every_changed_byte_is_noticed(keys: Path, signed: bytes) -> None:
    verifier = Verifier(keys)
    for place in range(len(signed)):
        changed = bytearray(signed)
        changed[place] ^= 1
        with pytest.raises(Unauthenticated):
            verifier.verify(bytes(changed), method=METHOD, digest=DIGEST, now=NOW)


@given(st.binary(max_size=300))
def test_even_a_signed_message_must_make_sense(body: bytes) -> None:
    verifier = Verifier.__new__(Verifier)
    key = Ed25519PrivateKey.generate()
    verifier._keys = [key.public_key()]

    with pytest.raises(Unauthenticated):
        verifier.verify(body + key.sign(body), method=METHOD, digest=DIGEST, now=NOW)


def test_the_private_key_is_for_its_owner_and_made_once(tmp_path: Path) -> None:
    assert create_keys(tmp_path / "keys")
    before = (tmp_path / "keys" / "principal.key").read_bytes()

    assert not create_keys(tmp_path / "keys")
    assert (tmp_path / "keys" / "principal.key").read_bytes() == before
    assert stat.S_IMODE((tmp_path / "keys" / "principal.key").stat().st_mode) == 0o600


def test_keys_that_many_make_at_once_are_one_pair(tmp_path: Path, signed: bytes) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_keys(tmp_path), range(8)))

    assert made.count(True) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["principal.key", "principal.pub"]
    data = Signer(tmp_path).sign(WHO, method=METHOD, digest=DIGEST, now=NOW, business_date=DAY)
    assert Verifier(tmp_path).verify(data, method=METHOD, digest=DIGEST, now=NOW).principal == WHO
    refused(tmp_path, signed)


def test_a_lost_public_key_is_derived_from_the_private_one(tmp_path: Path) -> None:
    create_keys(tmp_path)
    before = (tmp_path / "principal.pub").read_bytes()
    (tmp_path / "principal.pub").unlink()

    assert not create_keys(tmp_path)
    assert (tmp_path / "principal.pub").read_bytes() == before


def test_verifying_is_quick(keys: Path, signed: bytes) -> None:
    verifier = Verifier(keys)
    times = []
    for _ in range(50):
        before = time.perf_counter()
        verifier.verify(signed, method=METHOD, digest=DIGEST, now=NOW)
        times.append(time.perf_counter() - before)

    # The best of fifty: what the work takes, whatever else the machine does.
    assert min(times) < 0.000_5


def test_a_citizen_reaches_only_their_own_record() -> None:
    WHO.require_person(WHO.person_id or ids.new_id())
    with pytest.raises(NotFound) as caught:
        WHO.require_person(ids.new_id())
    assert caught.value.reason == "PERSON_NOT_FOUND"


def test_an_agent_reaches_only_employers_that_granted_them() -> None:
    WHO.require_employer(next(iter(WHO.employer_ids)))
    with pytest.raises(NotFound) as caught:
        WHO.require_employer(ids.new_id())
    assert caught.value.reason == "EMPLOYER_NOT_FOUND"


def test_a_record_of_a_person_and_an_employer_opens_to_either() -> None:
    mine, ours = WHO.person_id or ids.new_id(), next(iter(WHO.employer_ids))

    WHO.require_related(person_id=mine, employer_id=ids.new_id())
    WHO.require_related(person_id=ids.new_id(), employer_id=ours)
    with pytest.raises(NotFound):
        WHO.require_related(person_id=ids.new_id(), employer_id=ids.new_id())


@pytest.mark.parametrize("role", ["CLERK", "SUPERVISOR", "AUDITOR", "PARTNER", "SYSTEM"])
def test_staff_partners_and_the_system_are_not_bound_by_a_relation(role: str) -> None:
    principal = Principal(subject="x", roles=frozenset({role}))

    principal.require_person(ids.new_id())
    principal.require_employer(ids.new_id())


@pytest.mark.parametrize("role", ["CITIZEN", "EMPLOYER_AGENT", "OPERATOR", "PUBLIC"])
def test_nobody_else_reaches_a_record_without_one(role: str) -> None:
    principal = Principal(subject="x", roles=frozenset({role}))

    with pytest.raises(NotFound):
        principal.require_person(ids.new_id())
    with pytest.raises(NotFound):
        principal.require_employer(ids.new_id())


def test_two_logins_of_one_person_are_one_person() -> None:
    person_id = ids.new_id()
    as_clerk = Principal(subject="idp|staff-1", roles=frozenset({"CLERK"}), person_id=person_id)
    as_citizen = Principal(subject="idp|p-9", roles=frozenset({"CITIZEN"}), person_id=person_id)

    assert as_clerk.acting_person == as_citizen.acting_person


def test_a_member_of_staff_stays_the_same_human_once_known_as_an_insured_person() -> None:
    before = Principal(subject="idp|staff-clerk-2", roles=frozenset({"CLERK"}), natural_person="idp|p-2")
    after = replace(before, subject="idp|staff-supervisor-2", person_id=ids.new_id())

    assert before.acting_person == after.acting_person


def test_two_logins_of_one_member_of_staff_are_one_person() -> None:
    clerk = Principal(subject="idp|staff-clerk-2", roles=frozenset({"CLERK"}), natural_person="idp|p-2")
    supervisor = Principal(subject="idp|staff-supervisor-2", roles=frozenset({"SUPERVISOR"}), natural_person="idp|p-2")

    assert clerk.acting_person == supervisor.acting_person == "idp|p-2"


@pytest.mark.parametrize(
    "principal",
    [
        Principal(subject="idp|staff-1", roles=frozenset({"CLERK"})),
        Principal(subject="front-office", roles=frozenset({"PARTNER"})),
        Principal.system("jobs"),
        Principal.anonymous(),
    ],
)
def test_partners_and_the_system_are_no_pair_of_eyes(principal: Principal) -> None:
    with pytest.raises(Forbidden) as caught:
        _ = principal.acting_person
    assert caught.value.reason == "NATURAL_PERSON_REQUIRED"
