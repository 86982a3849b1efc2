"""From a token to a principal: staff and partners by their roles and scopes, people by the grant of their login.

On the first call of a person's login the provider is asked once, through its back channel, for the real-name identity
that it asserts; enrollment says which insured person that is, and the grant is kept. The identity number is held for
the length of that one call and is stored, logged and cached nowhere.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from chassis import transaction
from chassis.client import Deadline
from chassis.logs import get_logger
from chassis.principal import Principal
from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment_pb
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Unavailable
from services.gateway import store
from services.gateway.edge.tokens import refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path
    from uuid import UUID

    from chassis.database import Database
    from services.gateway.edge.backends import Guarded
    from services.gateway.edge.tokens import Claims

log = get_logger(__name__)

FIND_PERSON = "/hrss.enrollment.v1.EnrollmentService/FindPerson"
LEAST_ACR = 2  # below that the provider has not matched name and number
NOT_INSURED_SECONDS = 2.0  # how long "not insured" is believed, so that a page with ten calls asks once
_REMEMBERED_MAX = 50_000
_LOOK_UP_SECONDS = 3.0
# The gateway asks in its own name, as any partner with this scope may.
_GATEWAY = Principal(
    subject="gateway",
    client="gateway",
    roles=frozenset({"PARTNER"}),
    scopes=frozenset({"persons.search"}),
    purpose="identity grant",
)


class IdentityProvider(Protocol):
    """What the gateway asks the identity provider."""

    async def keys(self) -> Mapping[str, Any]:
        """Its public key set."""
        ...

    async def identity(self, token: str, subject: str) -> tuple[str, str]:
        """Name and identity number that it asserts for a person's token."""
        ...


class HttpIdentityProvider:
    """The provider over HTTP, by OpenID Connect discovery.

    Args:
        issuer: What the provider calls itself, in its tokens and to browsers.
        client_id: As whom the gateway asks.
        secret_file: The secret of that client.
        url: Where the gateway reaches the provider when that is not the issuer, as between containers.
    """

    def __init__(self, issuer: str, client_id: str, secret_file: Path, *, url: str = "") -> None:
        self._issuer = issuer
        self._url = (url or issuer).rstrip("/")
        self._client_id = client_id
        self._secret_file = secret_file  # read when needed: a rotated secret counts at once
        self._client = httpx.AsyncClient(timeout=2.0, trust_env=False)
        self._found: dict[str, str] = {}

    async def keys(self) -> Mapping[str, Any]:
        """Its public key set.

        Raises:
            OSError: It cannot be reached or does not answer as it should.
        """
        answer = await self._ask("GET", (await self._endpoints())["jwks_uri"])
        found: Mapping[str, Any] = _good(answer).json()
        return found

    async def identity(self, token: str, subject: str) -> tuple[str, str]:
        """Name and identity number behind a token, whose `sub` the provider must name again.

        Raises:
            Unauthenticated: TOKEN_INVALID.
            Forbidden: IDENTITY_MISSING.
            Unavailable: IDENTITY_PROVIDER_UNAVAILABLE.
        """
        try:
            url = (await self._endpoints())["userinfo_endpoint"]
            credentials = (self._client_id, self._secret_file.read_text("utf-8").strip())
            answer = await self._ask("POST", url, data={"access_token": token}, auth=credentials)
            if answer.status_code == httpx.codes.UNAUTHORIZED and answer.json().get("error") == "invalid_token":
                raise refused()
            if answer.status_code == httpx.codes.FORBIDDEN:
                raise Forbidden("IDENTITY_MISSING", "the token does not carry the real-name identity")
            found = _good(answer).json()
            if found["sub"] != subject:
                raise ValueError("the provider speaks of somebody else")
            return str(found["name"]), str(found["id_number"])
        except (OSError, ValueError, KeyError) as error:
            log.warning("identity_not_read", error=type(error).__name__)
            raise Unavailable(
                "IDENTITY_PROVIDER_UNAVAILABLE", "the identity provider does not answer", retry_after=2
            ) from None

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _endpoints(self) -> dict[str, str]:
        if not self._found:
            answer = await self._ask("GET", f"{self._url}/.well-known/openid-configuration")
            found = _good(answer).json()
            if found.get("issuer") != self._issuer:
                raise ValueError("the provider calls itself something else")
            names = ("jwks_uri", "userinfo_endpoint")
            self._found = {name: reached_at(str(found[name]), self._issuer, self._url) for name in names}
        return self._found

    async def _ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        try:
            return await self._client.request(method, url, **given)
        except httpx.HTTPError as error:
            raise OSError(type(error).__name__) from None


def reached_at(endpoint: str, issuer: str, url: str) -> str:
    """An endpoint below the issuer at the address where this process reaches the issuer; others as they are."""
    prefix = f"{issuer.rstrip('/')}/"
    return f"{url.rstrip('/')}/{endpoint.removeprefix(prefix)}" if endpoint.startswith(prefix) else endpoint


def _good(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise OSError(f"the provider answered {answer.status_code}")
    return answer


class Identities:
    """Principals of tokens, with the grants of people."""

    def __init__(self, provider: IdentityProvider, enrollment: Guarded, database: Database) -> None:
        self._provider = provider
        self._enrollment = enrollment
        self._database = database
        self._granted: dict[str, store.Grant] = {}
        self._missing: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[store.Grant | None]] = {}

    async def grant(self, claims: Claims, token: str, today: date, *, look_again: bool = False) -> store.Grant | None:
        """The insured person behind a citizen's login; None when there is none.

        Args:
            claims: What the token says; for anybody but a person the answer is None.
            token: The token itself, to ask the provider with.
            today: The business day.
            look_again: Do not believe a "not insured" of a moment ago.

        Raises:
            Unauthenticated, Forbidden, Unavailable: The provider or enrollment refuses or is away.
        """
        if claims.kind != "person" or claims.acr < LEAST_ACR:
            return None
        subject = claims.subject
        if (known := self._granted.get(subject)) is not None:
            return known
        if not look_again and self._missing.get(subject, 0.0) > time.monotonic():
            return None
        task = self._asking.get(subject)
        if task is None:
            task = self._asking[subject] = asyncio.create_task(self._resolve(subject, token, today))
            task.add_done_callback(lambda _done: self._asking.pop(subject, None))
        grant = await asyncio.shield(task)
        self._remember(subject, grant)
        return grant

    async def known_person(self, subject: str, today: date) -> UUID | None:
        """The insured person who once logged in as this subject; nobody is asked but our own rows.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE.
        """
        grant = self._granted.get(subject)
        if grant is None:
            grant = await transaction.run(
                self._database,
                lambda tx: store.find_grant(tx, subject),
                principal=Principal.system("grants"),
                today=today,
                read_only=True,
            )
        if grant is None:
            return None
        self._remember(subject, grant)
        return grant.person_id

    def _remember(self, subject: str, grant: store.Grant | None) -> None:
        memory: dict[str, Any] = self._granted if grant is not None else self._missing
        if len(memory) >= _REMEMBERED_MAX:
            memory.clear()
        memory[subject] = grant if grant is not None else time.monotonic() + NOT_INSURED_SECONDS
        if grant is not None:
            self._missing.pop(subject, None)

    async def _resolve(self, subject: str, token: str, today: date) -> store.Grant | None:
        system = Principal.system("grants")
        known = await transaction.run(
            self._database, lambda tx: store.find_grant(tx, subject), principal=system, today=today, read_only=True
        )
        if known is not None:
            return known
        name, id_number = await self._provider.identity(token, subject.partition("|")[2])
        person = await self._find(name, id_number, today)
        if person is None:
            return None
        grant = store.Grant(subject, ids.parse("per", person.person_id), person.name_masked)

        async def keep(tx: transaction.Transaction) -> None:
            await store.keep_grant(tx, grant)
            tx.audit("grant person", person_id=grant.person_id, detail={"subject": subject})

        await transaction.run(self._database, keep, principal=system, today=today, method="grant")
        return grant

    async def _find(self, name: str, id_number: str, today: date) -> Any:
        request = enrollment_pb.FindPersonRequest(id_no=id_number, name=name)
        try:
            reply = await self._enrollment.call(
                FIND_PERSON,
                request.SerializeToString(),
                principal=_GATEWAY,
                today=today,
                deadline=Deadline.after(_LOOK_UP_SECONDS),
                priority="citizen",
            )
        except (NotFound, InvalidInput):
            return None  # unknown, or a number that this city would not register
        return enrollment_pb.FindPersonResponse.FromString(reply.body).person
