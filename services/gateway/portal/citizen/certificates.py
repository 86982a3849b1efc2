"""Certificates (参保证明、缴费清单): ask for one, show and save it, and hold a saved one against what was issued."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import orjson

from services.gateway.portal.downloads import as_csv, attachment
from services.gateway.portal.forms import Field, Filled
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

KINDS = ("INSURANCE_CERTIFICATE_KIND_INSURANCE", "INSURANCE_CERTIFICATE_KIND_CONTRIBUTIONS")
WANTED = (
    Field("kind", "choice", "certificate.kind", choices=KINDS),
    Field("first_month", "month", "certificate.first", "certificate.first_hint", required=False),
    Field("last_month", "month", "certificate.last", "certificate.last_hint", required=False),
)
CHECKED = (Field("number", "text", "certificate.number", "certificate.number_hint"),)
# Codes of the schemes in a certificate (AAE140, and the register's own) → the words of the contract.
SCHEMES = {
    "110": "SCHEME_EMPLOYEE_PENSION",
    "120": "SCHEME_GOVERNMENT_PENSION",
    "170": "SCHEME_RESIDENT_PENSION",
    "210": "SCHEME_UNEMPLOYMENT",
    "410": "SCHEME_WORK_INJURY",
    "X12": "SCHEME_OCCUPATIONAL_ANNUITY",
    "X41": "SCHEME_WORK_INJURY_PROJECT",
    "X42": "SCHEME_OCCUPATIONAL_INJURY_PLATFORM",
}
FILE_MAX = 2 * 1024 * 1024  # 40 years of months are far below
_NUMBER = re.compile(r"[0-9A-Z]{16}", re.ASCII)


async def certificates(visit: Visit) -> Response:
    """Ask for a certificate."""
    path = f"/v1/persons/{await visit.person_id()}/insurance-certificates"

    async def issue(body: dict[str, Any]) -> Any:
        return await visit.post(path, body, key=visit.form.get("key", ""))

    done = await sent(visit, WANTED, issue, known={"kind": KINDS[0]})
    if done.answer is not None:
        return visit.go(f"/certificates/{done.answer['certificate']['number']}")
    return visit.render("citizen/certificates.html", done.status, filled=done.filled, problem=done.problem)


async def certificate(visit: Visit) -> Response:
    """One certificate, to be printed."""
    found = await _found(visit)
    if found is None:
        return visit.render("missing.html", 404)
    return visit.render(
        "citizen/certificate.html", certificate=found, facts=orjson.loads(found["facts"]), schemes=SCHEMES
    )


async def certificate_json(visit: Visit) -> Response:
    """The facts exactly as they were issued: the bytes to which the digest belongs."""
    found = await _found(visit)
    if found is None:
        return visit.render("missing.html", 404)
    return attachment(f"certificate-{found['number']}.json", found["facts"].encode(), "application/json")


async def certificate_csv(visit: Visit) -> Response:
    """The lines of a list of contributions for a spreadsheet."""
    found = await _found(visit)
    facts = orjson.loads(found["facts"]) if found else {}
    if found is None or "months" not in facts:
        return visit.render("missing.html", 404)
    t = visit.t
    heads = [t(f"certificate.{key}") for key in ("scheme", "from", "to", "months", "base", "employee", "employer")]
    rows = (
        (
            t.word(SCHEMES.get(one["scheme"], one["scheme"])),
            *(one[key] for key in ("first_month", "last_month", "months", "base", "employee", "employer")),
        )
        for one in facts["months"]
    )
    return attachment(f"contributions-{found['number']}.csv", as_csv(heads, rows))


async def check(visit: Visit) -> Response:
    """Whether a saved file is what was issued under its number, to the last byte."""
    filled, problem, verdict = Filled(CHECKED), None, ""
    if visit.request.method == "POST":
        filled = Filled.of(CHECKED, visit.form, visit.t)
        number = filled.values["number"].upper()
        file = visit.files.get("file")
        if not filled.errors and not _NUMBER.fullmatch(number):
            filled.errors["number"] = visit.t("certificate.number_wrong")
        if filled.errors or file is None:
            problem = ApiProblem(400, "", visit.t("error.title"), visit.t("certificate.file_missing"))
        else:
            try:
                found = (await visit.get(f"/v1/insurance-certificates/{number}"))["certificate"]
                same = hashlib.sha256(file.data).hexdigest() == found["digest"]
                verdict = "genuine" if same else "altered"
            except ApiProblem as refused:
                if refused.needs_login:
                    raise
                problem = refused
    status = problem.status if problem else 200
    return visit.render("citizen/certificate_check.html", status, filled=filled, problem=problem, verdict=verdict)


async def _found(visit: Visit) -> Any:
    number = visit.request.path_params["number"].upper()
    if not _NUMBER.fullmatch(number):
        return None
    return (await visit.get(f"/v1/insurance-certificates/{number}"))["certificate"]


PAGES = (
    Page("/certificates", certificates, roles=CITIZEN, acr=2, methods=("GET", "POST")),
    Page("/certificates/check", check, roles=CITIZEN, acr=2, methods=("GET", "POST"), file_max=FILE_MAX),
    Page("/certificates/{number}", certificate, roles=CITIZEN, acr=2),
    Page("/certificates/{number}/facts.json", certificate_json, roles=CITIZEN, acr=2),
    Page("/certificates/{number}/months.csv", certificate_csv, roles=CITIZEN, acr=2),
)
