"""The reference for people: every route with access, fields, reasons and a curl example, and a page per problem."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import yaml
from google.protobuf.descriptor import FieldDescriptor

from hrss.options.v1 import options_pb2
from services.gateway.edge import files
from services.gateway.edge.catalogue import FOLDER
from services.gateway.edge.contract import REQUEST_ID
from services.gateway.edge.scalars import TEXTS
from services.gateway.pages import comments, examples
from services.gateway.pages.reasons import reasons_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from services.gateway.edge.catalogue import Catalogue, Problem
    from services.gateway.edge.contract import Route
    from services.gateway.pages.html import Html

_NOT_PERSONAL = frozenset({options_pb2.PII_UNSPECIFIED, options_pb2.PII_MASKED})
_INDENT = orjson.OPT_INDENT_2
_LEVELS = {1: ("密码", "password"), 2: ("实名", "real name"), 3: ("人脸", "live person"), 4: ("证书", "certificate")}


@dataclass(frozen=True, slots=True)
class Field:
    """A field as the reference lists it."""

    name: str
    kind: str
    text: str
    place: str
    values: tuple[str, ...] = ()
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A route as the reference shows it."""

    id: str
    method: str
    path: str
    zh: str
    text: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    acr: int
    purpose: bool
    key: bool
    status: int
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    problems: tuple[Problem, ...]
    own_problems: frozenset[str]
    request: str
    response: str
    curl: str

    @property
    def search(self) -> str:
        """What a search looks through."""
        codes = " ".join(sorted(self.own_problems))
        return f"{self.id} {self.method} {self.path} {self.zh} {self.text} {codes}".lower()


class Reference:
    """The pages, worked out once."""

    def __init__(self, routes: tuple[Route, ...], catalogue: Catalogue, html: Html) -> None:
        words: dict[str, Any] = yaml.safe_load((FOLDER / "routes.yaml").read_text("utf-8"))
        self._catalogue = catalogue
        self._html = html
        self._titles: Mapping[str, Mapping[str, str]] = words["services"]
        self._groups: dict[str, list[Entry]] = {}
        for route in routes:
            self._groups.setdefault(route.service, []).append(_entry(route, words["routes"], catalogue))
        self._groups["gateway"].append(_upload(words["routes"], catalogue))

    async def page(self, request: Request) -> Response:
        """All routes."""
        return self._html.page(request, "docs.html", groups=self._groups, titles=self._titles, levels=_LEVELS)

    async def problems(self, request: Request) -> Response:
        """All problems."""
        return self._html.page(request, "problems.html", problems=list(self._catalogue.problems.values()))

    async def problem(self, request: Request) -> Response:
        """One problem, where the `type` of an answer leads."""
        found = self._catalogue.problems.get(request.path_params["code"])
        if found is None:
            return self._html.page(request, "missing.html", 404)
        routes = [entry for group in self._groups.values() for entry in group if found in entry.problems]
        return self._html.page(request, "problem.html", problem=found, routes=routes)


def _entry(route: Route, words: Mapping[str, str], catalogue: Catalogue) -> Entry:
    request = examples.of_message(route.request.DESCRIPTOR, without=route.path_fields) if route.has_body else None
    response = examples.of_message(route.response.DESCRIPTOR, is_input=False)
    places = dict.fromkeys(route.path_fields, "path") | dict.fromkeys(route.query_fields, "query")
    return Entry(
        id=route.descriptor.name,
        method=route.method,
        path=route.template,
        zh=words[route.descriptor.name],
        text=comments.load().get(str(route.descriptor.full_name), ""),
        roles=tuple(sorted(route.rule.roles)),
        scopes=tuple(sorted(route.rule.scopes - {"*"})),
        acr=route.rule.min_acr,
        purpose=route.rule.purpose_required,
        key=route.idempotent_by_key,
        status=route.success_status,
        inputs=tuple(_fields(route.request.DESCRIPTOR, places, skipped={REQUEST_ID})),
        outputs=tuple(_fields(route.response.DESCRIPTOR, {}, skipped=())),
        problems=tuple(catalogue.known(reasons_of(route))),
        own_problems=frozenset(route.problems),
        request=orjson.dumps(request, option=_INDENT).decode() if request is not None else "",
        response=orjson.dumps(response, option=_INDENT).decode(),
        curl=_curl(route, request),
    )


def _upload(words: Mapping[str, str], catalogue: Catalogue) -> Entry:
    example = {"upload_id": examples.of_upload(), "digest": "9f86d081884c7d659a2feaa0c55ad015…", "size": 20480}
    lines = ["curl -s -X POST $BASE/v1/files", "  -H 'Authorization: Bearer '$TOKEN", "  -H 'Content-Type: text/csv'"]
    return Entry(
        id="UploadFile",
        method="POST",
        path=files.PATH,
        zh=words["UploadFile"],
        text="Upload a file; the body is the file, at most 20 MiB. The same content again is the same upload.",
        roles=tuple(sorted(files.RULE.roles)),
        scopes=tuple(sorted(files.RULE.scopes)),
        acr=0,
        purpose=False,
        key=False,
        status=201,
        inputs=(),
        outputs=(
            Field("upload_id", "string", 'Id, "upl_…".', "body"),
            Field("digest", "string", "SHA-256 of the file in hex.", "body"),
            Field("size", "integer", "Bytes.", "body"),
        ),
        problems=tuple(catalogue.known(reasons_of(None))),
        own_problems=frozenset(files.PROBLEMS),
        request="",
        response=orjson.dumps(example, option=_INDENT).decode(),
        curl=" \\\n".join([*lines, "  --data-binary @history.csv"]),
    )


def _fields(
    descriptor: Any, places: Mapping[str, str], *, skipped: Collection[str], prefix: str = ""
) -> Iterator[Field]:
    """The fields of a message, those of messages inside it right after."""
    known = comments.load()
    for field in descriptor.fields:
        if field.name in skipped:
            continue
        name = f"{prefix}{field.name}{'[]' if field.is_repeated else ''}"
        values = tuple(one.name for one in field.enum_type.values[1:]) if field.enum_type is not None else ()
        yield Field(
            name,
            _kind(field),
            known.get(str(field.full_name), ""),
            places.get(field.name, "body"),
            values,
            personal=field.GetOptions().Extensions[options_pb2.pii] not in _NOT_PERSONAL,
        )
        inner = field.message_type
        if inner is not None and inner.full_name not in TEXTS:
            yield from _fields(inner, {}, skipped=(), prefix=f"{name}.")


def _kind(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return str(field.message_type.name).lower() if field.message_type.full_name in TEXTS else "object"
    if field.enum_type is not None:
        return "enum"
    if field.type == FieldDescriptor.TYPE_STRING:
        return "string"
    return "boolean" if field.type == FieldDescriptor.TYPE_BOOL else "integer"


def _curl(route: Route, request: Mapping[str, Any] | None) -> str:
    path = route.template
    for name in route.path_fields:
        path = path.replace(f"{{{name}}}", str(examples.of_field(route.request.DESCRIPTOR.fields_by_name[name])))
    lines = [
        f"curl -s{' -X POST' if route.method == 'POST' else ''} $BASE{path}",
        "  -H 'Authorization: Bearer '$TOKEN",
    ]
    if route.rule.purpose_required:
        lines.append("  -H 'Hrss-Purpose: counter'")
    if route.idempotent_by_key:
        lines.append('  -H "Idempotency-Key: $(uuidgen)"')
    if request is not None:
        lines += [
            "  -H 'Content-Type: application/json'",
            f"  -d {shlex.quote(orjson.dumps(request, option=_INDENT).decode())}",
        ]
    return " \\\n".join(lines)
