"""Who is calling: from the headers of a request to the principal that the services will see."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from chassis.access import permit, relate
from chassis.logs import REDACTED, clean
from chassis.principal import Principal
from kernel.errors import Forbidden, InvalidInput, Unauthenticated
from services.gateway.edge.scalars import FORBIDDEN
from services.gateway.edge.tokens import TOKEN_MAX, refused
from services.gateway.own import LOGIN, Login

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from google.protobuf.message import Message

    from chassis.access import AccessRule
    from services.gateway.edge.exchange import Exchange
    from services.gateway.edge.identity import Identities
    from services.gateway.edge.limits import Rates
    from services.gateway.edge.tokens import Claims, Tokens

PURPOSE_MAX = 100  # characters: a sentence for the audit
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]+)", re.ASCII)
_CASE_NO = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)
_KINDS = {"person": "citizen", "staff": "staff", "partner": "partner"}  # as limits and priorities name them
_PARTNER = frozenset({"PARTNER"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls, after the checks that need no request body."""

    principal: Principal
    claims: Claims | None
    token: str
    priority: str


class Access:
    """Authentication, limits and the access rule, in the order that tells a stranger least."""

    def __init__(self, tokens: Tokens, identities: Identities, rates: Rates, today: Callable[[], date]) -> None:
        self._tokens = tokens
        self._identities = identities
        self.rates = rates
        self._today = today

    async def admit(self, exchange: Exchange, rule: AccessRule, rate_class: str) -> Caller:
        """Who is calling, and that they may use this route at all.

        Raises:
            Unauthenticated: LOGIN_REQUIRED, TOKEN_INVALID, INSUFFICIENT_ACR.
            Forbidden: ROLE_NOT_ALLOWED, SCOPE_MISSING.
            InvalidInput: PURPOSE_REQUIRED, HEADER_MALFORMED.
            Busy: RATE_LIMITED.
            Unavailable: IDENTITY_PROVIDER_UNAVAILABLE.
        """
        header = exchange.header(b"authorization")
        if not header and rule.is_public:
            exchange.allowance = self.rates.take("nobody", exchange.peer, rate_class)
            return Caller(Principal.anonymous(), None, "", "citizen")
        try:
            token = _token(header)
            claims = await self._tokens.verify(token)
        except Unauthenticated:
            self.rates.take("nobody", exchange.peer, rate_class)  # guessing is limited too
            raise
        exchange.client = claims.client
        caller = f"{claims.client}|{claims.subject}"
        exchange.allowance = self.rates.take(_KINDS[claims.kind], caller, rate_class)
        principal = Principal(
            subject=claims.subject,
            client=claims.client,
            roles=claims.roles,
            scopes=claims.scopes if claims.kind == "partner" else frozenset(),
            acr=claims.acr,
            purpose=_purpose(exchange),
            case_no=_case_no(exchange),
            natural_person=claims.natural_person,
        )
        if not ("*" in rule.scopes and principal.roles == _PARTNER <= rule.roles):  # "*": any scope will do
            permit(rule, principal)
        return Caller(principal, claims, token, _KINDS[claims.kind])

    async def relate(
        self, caller: Caller, rule: AccessRule, request: Message, *, must_be_insured: bool, changes: bool = False
    ) -> Principal:
        """The principal with the insured person behind it, who may see what the request asks for.

        A member of staff who changes something is looked up too: nobody decides about their own benefit.

        Raises:
            Forbidden: PERSON_NOT_INSURED; IDENTITY_MISSING.
            Unavailable: The gateway's own database does not answer.
            NotFound: PERSON_NOT_FOUND, EMPLOYER_NOT_FOUND: the record is another's.
        """
        principal = caller.principal
        claims = caller.claims
        if claims is not None:
            LOGIN.set(Login(claims.simulated))
        if claims is not None and claims.kind == "person":
            grant = await self._identities.grant(claims, caller.token, self._today(), look_again=not must_be_insured)
            if grant is not None:
                principal = replace(principal, person_id=grant.person_id)
                LOGIN.set(Login(claims.simulated, grant.name_masked))
            elif must_be_insured:
                raise Forbidden("PERSON_NOT_INSURED", "no insured person stands behind the login")
        if changes and principal.natural_person:
            person_id = await self._identities.known_person(principal.natural_person, self._today())
            if person_id is not None:
                principal = replace(principal, person_id=person_id)
        relate(rule, principal, request)
        return principal


def _token(header: str) -> str:
    if not header:
        raise Unauthenticated("LOGIN_REQUIRED", "this call needs a login")
    if len(header) > TOKEN_MAX + len("Bearer "):
        raise refused()
    found = _BEARER.fullmatch(header)
    if found is None:
        raise refused()
    return found[1]


def _purpose(exchange: Exchange) -> str:
    """The purpose that staff state: ASCII, or UTF-8 percent-encoded."""
    given = exchange.header(b"hrss-purpose").strip()
    if not given:
        return ""
    return _checked_purpose(given)


@lru_cache(maxsize=4096)
def _checked_purpose(given: str) -> str:
    """Callers state few purposes and state them again and again; a refusal is not remembered."""
    purpose = unquote(given, errors="replace") if given.isascii() else ""
    if not 0 < len(purpose) <= PURPOSE_MAX or "\ufffd" in purpose or FORBIDDEN.search(purpose):
        raise InvalidInput("HEADER_MALFORMED", "a purpose has 1 to 100 characters", field="Hrss-Purpose")
    _refuse_personal(purpose, "Hrss-Purpose")
    return purpose


def _case_no(exchange: Exchange) -> str:
    given = exchange.header(b"hrss-case-no").strip()
    if not given:
        return ""
    if not _CASE_NO.fullmatch(given):
        raise InvalidInput("HEADER_MALFORMED", "a case number has 1 to 40 letters and digits", field="Hrss-Case-No")
    _refuse_personal(given, "Hrss-Case-No")
    return given


def _refuse_personal(text: str, header: str) -> None:
    """Headers are stored and logged in clear, so a number that names a person has no place in them."""
    if REDACTED in clean(text):
        raise InvalidInput("HEADER_MALFORMED", "the header holds a number that names a person", field=header)
