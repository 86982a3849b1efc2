"""The routes of the development identity provider: OpenID Connect, the real-name back channel, short cuts for tests.

Read `create_app` first; each route below it is a few lines. The interface is described in `docs/how-to/log-in.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import jinja2
from pydantic import Field
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis import config, logs
from ops import http
from ops.idp import messages
from ops.idp.clients import CLIENTS, Client, Secrets
from ops.idp.grants import CODE_SECONDS, REFRESH_SECONDS, Grant, Grants, proves
from ops.idp.messages import OAuthError
from ops.idp.personas import Persona, PersonaRefused, Personas
from ops.idp.tokens import LIFE_SECONDS, Issuer, TokenInvalid
from ops.secrets import Keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

HOME_CITIZENS = 20  # as many as fit a screen
PERSON_SCOPE = "openid identity"
STAFF_SCOPE = "openid"
BANNER = {"Hrss-Simulated": "identity-provider; development only"}
_NO_STORE = {"Cache-Control": "no-store", **BANNER}
_PAGE_HEADERS = {
    **_NO_STORE,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class IdpSettings(http.LocalSettings):
    """Settings of the development identity provider."""

    home: Path = Field(Path("var"), description="Directory that holds everything of this platform.")
    idp_host: str = Field("127.0.0.1", description="Address it listens on; the loopback, or that of a container.")
    idp_port: int = Field(8081, ge=0, le=65535, description="Port it listens on; 0 takes a free one.")
    idp_issuer: str = Field("", description="Issuer in its tokens, where browsers reach it; empty: where it listens.")
    idp_url: str = Field("", description="Where other containers reach it; empty: nowhere else.")

    def problems(self) -> list[tuple[str, str, str]]:
        """Refuse production and every address that others could reach."""
        found = super().problems()
        if self.is_prod:
            text = (
                "仿真身份仅供开发测试，生产环境不能启动",
                "the simulated identity provider does not run in production",
            )
            found.append(("HRSS_ENV", *text))
        found += self.reach_problems("HRSS_IDP_HOST", self.idp_host)
        if self.idp_issuer and not config.is_loopback(urlsplit(self.idp_issuer).hostname or ""):
            text = ("仿真身份的签发地址只能是本机", "the simulated identity provider is issued on the loopback only")
            found.append(("HRSS_IDP_ISSUER", *text))
        return found


def main() -> None:
    """Run the provider until a signal ends it."""
    settings = config.load(IdpSettings, service="idp")
    logs.configure(settings)
    listener = http.listen(settings.idp_host, settings.idp_port, variable="HRSS_IDP_PORT")
    url = settings.idp_issuer or f"http://{settings.idp_host}:{listener.getsockname()[1]}"
    inside = urlsplit(settings.idp_url).hostname
    app = create_app(
        url, Keys(settings.keys_dir), settings.home / "idp" / "personas.sealed", names=[inside] if inside else []
    )
    http.serve(app, listener, ready_file=settings.ready_file, name="idp")


def create_app(url: str, keys: Keys, personas_file: Path, *, names: Sequence[str] = ()) -> Starlette:
    """The provider as an ASGI application whose issuer is `url`; `names` are its own beside those of the loopback."""
    provider = Provider(Issuer(url, keys), Secrets(keys), Personas(personas_file, keys))
    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", provider.discovery),
            Route("/jwks.json", provider.jwks),
            Route("/authorize", provider.authorize_page, methods=["GET"]),
            Route("/authorize", provider.authorize, methods=["POST"]),
            Route("/token", provider.token, methods=["POST"]),
            Route("/userinfo", provider.userinfo, methods=["POST"]),
            Route("/dev/personas", provider.list_personas, methods=["GET"]),
            Route("/dev/personas", provider.register_persona, methods=["POST"]),
            Route("/dev/token", provider.dev_token, methods=["POST"]),
            Route("/healthz", http.healthy),
            Route("/", provider.home),
        ],
        # A page of another origin that points its own name at 127.0.0.1 would otherwise read tokens.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[*http.LOOPBACK_NAMES, *names])],
        exception_handlers={OAuthError: _answer_refusal},
    )


class Provider:
    """The routes, around issuer, client secrets, personas and open grants."""

    def __init__(self, issuer: Issuer, secrets: Secrets, personas: Personas) -> None:
        self._issuer = issuer
        self._secrets = secrets
        self._personas = personas
        self._codes = Grants(CODE_SECONDS)
        self._refreshes = Grants(REFRESH_SECONDS)
        loader = jinja2.PackageLoader("ops.idp", "")
        pages = jinja2.Environment(loader=loader, autoescape=True)
        self._page, self._home = pages.get_template("page.html"), pages.get_template("home.html")

    # -- OpenID Connect

    async def discovery(self, _request: Request) -> Response:
        """The provider's description of itself."""
        url = self._issuer.url
        return JSONResponse(
            {
                "issuer": url,
                "authorization_endpoint": f"{url}/authorize",
                "token_endpoint": f"{url}/token",
                "userinfo_endpoint": f"{url}/userinfo",
                "jwks_uri": f"{url}/jwks.json",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "subject_types_supported": ["public"],
                "scopes_supported": ["openid", "identity"],
                "acr_values_supported": [str(level) for level in messages.LEVELS],
                "hrss_environment": "dev",
            },
            headers=BANNER,
        )

    async def jwks(self, _request: Request) -> Response:
        """The public keys."""
        return JSONResponse(self._issuer.jwks(), headers={"Cache-Control": "public, max-age=300", **BANNER})

    async def authorize_page(self, request: Request) -> Response:
        """The list of personas to choose from."""
        asked = messages.authorization_request(dict(request.query_params))
        wanted = request.query_params.get("acr_values", "").split(" ")[0]
        personas = list(self._personas)
        page = self._page.render(
            request=asked,
            staff=[persona for persona in personas if persona.kind == "staff"],
            citizens=[persona for persona in personas if persona.kind == "person"],
            levels=messages.LEVELS,
            chosen=int(wanted) if wanted in {str(level) for level in messages.LEVELS} else messages.PERSON_LEVEL,
        )
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    async def authorize(self, request: Request) -> Response:
        """The choice that was made: back to the client with a code."""
        form = await messages.form(request)
        asked = messages.authorization_request(form)
        persona = self._persona(form.get("persona"))
        grant = Grant(
            client_id=asked["client_id"],
            sub=persona.sub,
            acr=messages.level_of(form.get("acr"), persona),
            scope=_scope_of(persona),
            redirect_uri=asked["redirect_uri"],
            challenge=asked["code_challenge"],
            nonce=asked.get("nonce", ""),
        )
        answer = {"code": self._codes.add(grant), "state": asked.get("state", ""), "iss": self._issuer.url}
        separator = "&" if urlsplit(grant.redirect_uri).query else "?"
        return RedirectResponse(f"{grant.redirect_uri}{separator}{urlencode(answer)}", 303, headers=_NO_STORE)

    async def token(self, request: Request) -> Response:
        """A token for a code, a refresh token or a client's own credentials."""
        form = await messages.form(request)
        match form.get("grant_type"):
            case "authorization_code":
                return self._token_for_code(form)
            case "refresh_token":
                return self._token_for_refresh(form)
            case "client_credentials":
                return self._token_for_client(self._client(request, form), form)
        raise OAuthError("unsupported_grant_type", "authorization_code, refresh_token or client_credentials")

    async def userinfo(self, request: Request) -> Response:
        """Back channel: the real-name identity behind a person's token, for the gateway alone."""
        form = await messages.form(request)
        if not self._client(request, form).reads_identity:
            raise OAuthError("unauthorized_client", "this client may not read identities", 403)
        try:
            claims = self._issuer.read(form.get("access_token", ""))
        except TokenInvalid:
            raise OAuthError("invalid_token", "the access token is not valid", 401) from None
        persona = self._personas.find(claims["sub"])
        if persona is None:
            raise OAuthError("invalid_token", "no persona stands behind this token", 401)
        answer: dict[str, Any] = {"sub": persona.sub, "name": persona.name, "env": "dev"}
        if persona.kind == "staff":
            return JSONResponse({**answer, "roles": list(persona.roles)}, headers=_NO_STORE)
        if "identity" not in claims["scope"].split():
            raise OAuthError("insufficient_scope", "the token does not carry the scope identity", 403)
        return JSONResponse({**answer, "id_number": persona.id_number, "acr": claims["acr"]}, headers=_NO_STORE)

    # -- short cuts for tests, the demo and curl

    async def list_personas(self, _request: Request) -> Response:
        """Who can be chosen; names of citizens are masked."""
        shown = [
            {"sub": persona.sub, "kind": persona.kind, "roles": list(persona.roles), "title": persona.title}
            for persona in self._personas
        ]
        return JSONResponse({"personas": shown}, headers=_NO_STORE)

    async def register_persona(self, request: Request) -> Response:
        """Add an invented citizen, so that they can log in."""
        body = await messages.json_object(request)
        if not self._client(request, {}).registers_personas:
            raise OAuthError("unauthorized_client", "this client may not register personas", 403)
        try:
            persona, is_new = self._personas.register(body.get("name"), body.get("id_number"))
        except PersonaRefused as refusal:
            raise OAuthError("invalid_request", str(refusal)) from None
        return JSONResponse({"sub": persona.sub}, 201 if is_new else 200, headers=_NO_STORE)

    async def dev_token(self, request: Request) -> Response:
        """A token for any persona without the page: it would let anybody choose anyway."""
        body = await messages.json_object(request)
        persona = self._persona(body.get("persona"))
        grant = Grant("hrss-portal", persona.sub, messages.level_of(body.get("acr"), persona), _scope_of(persona))
        return self._answer(grant, persona)

    async def home(self, _request: Request) -> Response:
        """What this is, who can be chosen (the newest of many), and how to get a token."""
        personas = list(self._personas)
        staff = [persona for persona in personas if persona.kind == "staff"]
        citizens = [persona for persona in personas if persona.kind != "staff"]
        hidden = max(0, len(citizens) - HOME_CITIZENS)
        page = self._home.render(
            url=self._issuer.url,
            personas=[*staff, *citizens[-HOME_CITIZENS:]],
            more=f"另有 {hidden} 位虚构参保人 / {hidden} more invented persons: /dev/personas" if hidden else "",
        )
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    # -- inside

    def _token_for_code(self, form: dict[str, str]) -> Response:
        grant = self._codes.take(form.get("code", ""))
        matches = grant and (grant.client_id, grant.redirect_uri) == (form.get("client_id"), form.get("redirect_uri"))
        if not grant or not matches or not proves(grant.challenge, form.get("code_verifier", "")):
            raise OAuthError("invalid_grant", "the code is unknown, used, expired, or not yours")
        return self._answer(grant, self._persona(grant.sub), with_id_token=True)

    def _token_for_refresh(self, form: dict[str, str]) -> Response:
        grant = self._refreshes.take(form.get("refresh_token", ""))
        if not grant or form.get("client_id", grant.client_id) != grant.client_id:
            raise OAuthError("invalid_grant", "the refresh token is unknown, used, or expired")
        return self._answer(grant, self._persona(grant.sub))

    def _token_for_client(self, client: Client, form: dict[str, str]) -> Response:
        asked = frozenset(form.get("scope", "").split()) or client.scopes
        if not client.scopes or not asked <= client.scopes:
            raise OAuthError("invalid_scope", "this client does not have that scope")
        scope = " ".join(sorted(asked))
        token = self._issuer.access_token(client=client, persona=None, acr=0, scope=scope)
        return JSONResponse(_token_answer(token, scope), headers=_NO_STORE)

    def _answer(self, grant: Grant, persona: Persona, *, with_id_token: bool = False) -> Response:
        client = CLIENTS[grant.client_id]
        token = self._issuer.access_token(client=client, persona=persona, acr=grant.acr, scope=grant.scope)
        answer = _token_answer(token, grant.scope) | {"refresh_token": self._refreshes.add(grant)}
        if with_id_token:
            answer["id_token"] = self._issuer.id_token(client=client, persona=persona, acr=grant.acr, nonce=grant.nonce)
        return JSONResponse(answer, headers=_NO_STORE)

    def _persona(self, sub: object) -> Persona:
        persona = self._personas.find(sub) if isinstance(sub, str) else None
        if persona is None:
            raise OAuthError("invalid_request", "no such persona; see /dev/personas")
        return persona

    def _client(self, request: Request, form: dict[str, str]) -> Client:
        client_id, secret = messages.credentials(request.headers.get("authorization", ""), form)
        if not self._secrets.knows(client_id, secret):
            raise OAuthError("invalid_client", "unknown client or wrong secret", 401)
        return CLIENTS[client_id]


def _scope_of(persona: Persona) -> str:
    return STAFF_SCOPE if persona.kind == "staff" else PERSON_SCOPE


def _token_answer(token: str, scope: str) -> dict[str, Any]:
    return {"access_token": token, "token_type": "Bearer", "expires_in": LIFE_SECONDS, "scope": scope}


async def _answer_refusal(_request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, OAuthError)
    headers = {"WWW-Authenticate": 'Basic realm="hrss-dev"'} if refusal.error == "invalid_client" else {}
    answer = {"error": refusal.error, "error_description": refusal.description}
    return JSONResponse(answer, refusal.status, headers={**_NO_STORE, **headers})
