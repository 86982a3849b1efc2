"""Certificates' facts: 参保证明 (that somebody is or was insured) and 缴费清单 (every month of a period).

The facts are canonical JSON: names sorted, no blanks, every value a text, a list or an object, so equal facts are equal
bytes and have one digest. They are kept sealed under it; the number on the paper is random and tells nothing.
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import Any
from uuid import UUID

from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound
from services.enrollment.accounting import ContributionState
from services.enrollment.register import Employment
from services.enrollment.store import employments, people
from services.enrollment.store import moving_certificate as store
from services.enrollment.store.moving_certificate import Row

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without I L O U, which people misread
NUMBER_LENGTH = 16
FIRST, LAST = Month(1949, 1), Month(2200, 12)
FORM = "1"  # raised whenever the same history would give other facts


class Kind(StrEnum):
    """Kind of a certificate."""

    INSURANCE = "INSURANCE"
    CONTRIBUTIONS = "CONTRIBUTIONS"


@dataclass(frozen=True, slots=True)
class Wish:
    """Which certificate somebody wants."""

    person_id: UUID
    kind: Kind
    first: Month | None
    last: Month | None
    as_of: date | None


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """A certificate; its facts name somebody."""

    number: str
    person_id: UUID
    kind: Kind
    facts: str
    digest: str
    as_of: date


async def issue(tx: Transaction, wish: Wish) -> Certificate:
    """Put together the facts of a certificate and keep them under their digest.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: PERIOD_INVALID, DATE_IN_FUTURE.
    """
    tx.principal.require_person(wish.person_id)
    as_of = wish.as_of or tx.today
    if as_of > tx.today:
        raise InvalidInput("DATE_IN_FUTURE", "facts are told as of today or before", field="as_of")
    first, last = wish.first or FIRST, min(wish.last or LAST, Month.of(as_of))
    if first > last or (wish.first and wish.last and wish.first > wish.last):
        raise InvalidInput("PERIOD_INVALID", "the period ends before it begins", field="last_month")
    person = await people.person(tx, wish.person_id)
    if person is None:
        raise person_not_found()
    rows = await store.rows(tx, wish.person_id, first, last)
    facts = canonical(
        {
            "as_of": str(as_of),
            "form": FORM,
            "kind": wish.kind.value,
            "period": {"first": str(wish.first or ""), "last": str(last)},
            "person": {"id_no": person.id_no, "name": person.name},
            **(
                _insured(rows, await employments.of_person(tx, wish.person_id), first, last)
                if wish.kind is Kind.INSURANCE
                else {"months": _months(rows)}
            ),
        }
    )
    one = Certificate(
        number="".join(secrets.choice(ALPHABET) for _ in range(NUMBER_LENGTH)),
        person_id=wish.person_id,
        kind=wish.kind,
        facts=facts,
        digest=hashlib.sha256(facts.encode()).hexdigest(),
        as_of=as_of,
    )
    await store.keep(
        tx,
        one.number,
        digest=one.digest,
        facts=one.facts,
        person_id=one.person_id,
        kind=one.kind,
        as_of=one.as_of,
    )
    tx.audit(
        "IssueInsuranceCertificate", person_id=wish.person_id, detail={"kind": wish.kind.value, "digest": one.digest}
    )
    return one


async def certificate(tx: Transaction, number: str) -> Certificate:
    """Show a certificate again, exactly as it was issued.

    Raises:
        NotFound: INSURANCE_CERTIFICATE_NOT_FOUND; PERSON_NOT_FOUND for a person whose it is not.
    """
    found = await store.find(tx, number)
    if found is None:
        raise NotFound("INSURANCE_CERTIFICATE_NOT_FOUND", "no such certificate")
    person_id, kind, facts, digest, as_of = found
    tx.principal.require_person(person_id)
    return Certificate(number, person_id, Kind(kind), facts, digest, as_of)


def canonical(value: dict[str, Any]) -> str:
    """One text for one value: names sorted, no blanks, characters as they are (RFC 8785, for texts alone)."""
    _check_plain(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _check_plain(value: Any) -> None:
    """Numbers have many forms in JSON; texts have one."""
    match value:
        case str():
            return
        case list():
            for one in value:
                _check_plain(one)
        case dict():
            for name, one in value.items():
                _check_plain(name)
                _check_plain(one)
        case _:
            raise TypeError("a canonical fact is a text, a list or an object")


def _insured(rows: Sequence[Row], worked: Sequence[Employment], first: Month, last: Month) -> dict[str, Any]:
    """Months by scheme, and the employments that touch the period as they stood at its end."""
    schemes = []
    for scheme, of_scheme in groupby(sorted(rows, key=lambda one: (one.scheme, one.month)), key=lambda one: one.scheme):
        months = list(of_scheme)
        schemes.append(
            {
                "deemed_months": str(sum(one.state is ContributionState.DEEMED for one in months)),
                "first_month": str(months[0].month),
                "last_month": str(months[-1].month),
                "paid_months": str(sum(one.state is ContributionState.PAID for one in months)),
                "scheme": str(scheme),
            }
        )
    employers = [
        {
            "employer": one.employer_name,
            "end_month": str(one.end_month) if one.end_month and one.end_month <= last else "",
            "start_month": str(one.start_month),
        }
        for one in sorted(worked, key=lambda one: one.start_month)
        if one.start_month <= last and (one.end_month is None or one.end_month >= first)
    ]
    is_insured = any(not one["end_month"] for one in employers)
    return {"employments": employers, "insured": "yes" if is_insured else "no", "schemes": schemes}


def _months(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Months in a row with the same amounts as one line, by scheme."""
    lines: list[dict[str, str]] = []
    before: Row | None = None
    for one in sorted(rows, key=lambda one: (one.scheme, one.month)):
        if before and one.key == before.key and one.month == before.month.next:
            lines[-1]["last_month"] = str(one.month)
            lines[-1]["months"] = str(int(lines[-1]["months"]) + 1)
        else:
            lines.append(
                {
                    "base": str(one.base),
                    "employee": str(one.employee),
                    "employer": str(one.employer),
                    "first_month": str(one.month),
                    "last_month": str(one.month),
                    "months": "1",
                    "scheme": str(one.scheme),
                    "state": one.state.value,
                }
            )
        before = one
    return lines
