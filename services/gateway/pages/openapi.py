"""OpenAPI 3.1 from the descriptors: routes, schemas, access, reasons and examples, in the words of the contract.

Inputs and outputs are described apart where one message serves both: an input refuses fields it does not know, an
output always has its plain fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

from services.gateway.edge import files
from services.gateway.edge.contract import REQUEST_ID, TIMESTAMP
from services.gateway.edge.scalars import LONG, TEXT_MAX
from services.gateway.pages import comments, examples
from services.gateway.pages.reasons import reasons_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from services.gateway.edge.catalogue import Catalogue
    from services.gateway.edge.contract import Route

    Json = dict[str, Any]

VERSION = "1.0.0"
_MONEY = r"^-?(0|[1-9][0-9]{0,12})\.[0-9]{2}$"
_RATE = r"^-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,12})?$"
_MONTH = r"^(1[89]|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])$"
# What an honest text is made of; the edge refuses control, zero-width and direction characters.
_TEXT = r"^[\u0020-\u007E\u00A0-\u0600\u4E00-\u9FFF]*$"
_LONG = r"^(0|-?[1-9][0-9]{0,18})$"
_SCALARS: Mapping[str, tuple[str, Json]] = {
    "hrss.type.v1.Money": (
        "Money",
        {"type": "string", "pattern": _MONEY, "description": "Yuan with two decimals.", "examples": ["12.34"]},
    ),
    "hrss.type.v1.Rate": (
        "Rate",
        {"type": "string", "pattern": _RATE, "description": "A decimal; never a percentage.", "examples": ["0.08"]},
    ),
    "hrss.type.v1.Date": (
        "Date",
        {
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            "format": "date",
            "description": "A day in Asia/Shanghai, 1800-01-01 to 9999-12-31.",
            "examples": ["2025-11-23"],
        },
    ),
    "hrss.type.v1.Month": (
        "Month",
        {"type": "string", "pattern": _MONTH, "description": "A calendar month.", "examples": ["2025-11"]},
    ),
    TIMESTAMP: (
        "Timestamp",
        {
            "type": "string",
            "format": "date-time",
            "description": "An instant in UTC.",
            "examples": ["2025-11-23T08:00:00Z"],
        },
    ),
}
_PROBLEM: Json = {
    "type": "object",
    "description": "A refusal (RFC 9457): what happened, and what to do next, in the language that was asked for.",
    "required": ["type", "title", "status", "code", "detail", "hint", "request_id", "trace_id", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Page about this reason."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]{1,62}$", "description": "The reason; never translated."},
        "detail": {"type": "string", "description": "What happened."},
        "hint": {"type": "string", "description": "What to do next."},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "trace_id": {"type": "string"},
        "retryable": {"type": "boolean", "description": "Whether the same call may succeed later."},
        "help": {"type": "string", "description": "Hotline."},
        "values": {"type": "object", "additionalProperties": {"type": "string"}},
        "source": {"type": "array", "items": {"type": "string"}, "description": "Legal sources."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer of the field."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "hint": {"type": "string"},
                    "developer_message": {"type": "string"},
                },
            },
        },
    },
}
_HEADERS: Mapping[str, Json] = {
    "X-Request-Id": {"description": "Id of this request, as sent or made up.", "schema": {"type": "string"}},
    "traceparent": {"description": "W3C trace context of this request.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "The caller's limit.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left of it.", "schema": {"type": "string"}},
    "ETag": {"description": "Changes when the record does; send it as If-None-Match.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {"description": "true: the answer of the first time.", "schema": {"type": "string"}},
    "Hrss-Min-Version": {
        "description": "Pass it on with a read that must not be older than this change.",
        "schema": {"type": "string"},
    },
}
_PARAMETERS: Mapping[str, Json] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "One per business action, repeated on retries.",
        "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{8,255}$"},
        "example": "3f1c9a52-0d7e-4c55-9f0b-6a8f6f1f2c11",
    },
    "Purpose": {
        "name": "Hrss-Purpose",
        "in": "header",
        "description": "Why staff open the record; this or Hrss-Case-No is required of staff.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9 -]{1,100}$"},
        "example": "counter",
    },
    "CaseNo": {
        "name": "Hrss-Case-No",
        "in": "header",
        "description": "The case for which staff open the record.",
        "schema": {"type": "string", "pattern": "^[0-9A-Za-z-]{1,40}$"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "ETag of an earlier answer; 304 when nothing has changed.",
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}"$'},
    },
    "MinVersion": {
        "name": "Hrss-Min-Version",
        "in": "header",
        "description": "Token of a change that this read must have seen.",
        "schema": {"type": "string", "pattern": "^[a-z]{1,32}:[a-z]{3}_[0-9a-f]{32}:[0-9]{1,9}$"},
    },
}


def describe(routes: Iterable[Route], catalogue: Catalogue, issuer: str) -> Json:
    """The whole description."""
    maker = _Maker(catalogue)
    paths: dict[str, Json] = {}
    scopes: set[str] = set()
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = maker.operation(route)
        scopes |= route.rule.scopes
    paths[files.PATH] = {"post": maker.upload()}
    tags = {
        route.service: comments.load().get(str(route.descriptor.containing_service.full_name), "") for route in routes
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "社会保险服务平台接口 / Social-security platform API",
            "version": VERSION,
            "description": (
                'JSON over HTTP. Money is a string of yuan ("12.34"), a month "2025-11", a day "2025-11-23". Changes '
                "need an Idempotency-Key; refusals are application/problem+json in the language of Accept-Language."
            ),
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in tags.items()],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **dict(sorted(maker.schemas.items()))},
            "headers": dict(_HEADERS),
            "parameters": dict(_PARAMETERS),
            "securitySchemes": {
                "person": {
                    "type": "openIdConnect",
                    "openIdConnectUrl": f"{issuer}/.well-known/openid-configuration",
                    "description": "People: authorization code with PKCE.",
                },
                "partner": {
                    "type": "oauth2",
                    "description": "Partner systems: client credentials.",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": f"{issuer}/token",
                            "scopes": {scope: scope for scope in sorted(scopes - {"*"})},
                        }
                    },
                },
            },
        },
    }


class _Maker:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._comments = comments.load()
        self.schemas: dict[str, Json] = {}

    def operation(self, route: Route) -> Json:
        """One route."""
        text = self._comments.get(str(route.descriptor.full_name), "")
        body_fields = {*route.path_fields, REQUEST_ID}
        made: Json = {
            "operationId": route.descriptor.name,
            "summary": text.split(". ")[0].rstrip("."),
            "description": text,
            "tags": [route.service],
            "security": _security(route.rule.roles, route.rule.scopes),
            "parameters": self._parameters(route),
            "responses": self._responses(route),
            "x-roles": sorted(route.rule.roles),
        }
        if route.rule.min_acr:
            made["x-min-acr"] = route.rule.min_acr
        if route.has_body:
            made["requestBody"] = {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": self._input(route.request.DESCRIPTOR, body_fields),
                        "example": examples.of_message(route.request.DESCRIPTOR, without=route.path_fields),
                    }
                },
            }
        return made

    def upload(self) -> Json:
        """The one route that is no RPC."""
        result = {
            "type": "object",
            "required": ["upload_id", "digest", "size"],
            "properties": {
                "upload_id": {"type": "string", "pattern": "^upl_[0-9a-f]+$"},
                "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the file."},
                "size": {"type": "integer", "description": "Bytes."},
            },
        }
        good = {
            "description": "Stored; the same content again is the same upload.",
            "headers": _refs("headers", ("X-Request-Id", "traceparent", "RateLimit-Policy", "RateLimit")),
            "content": {"application/json": {"schema": result}},
        }
        return {
            "operationId": "UploadFile",
            "summary": "Upload a file (上传文件)",
            "description": "The body is the file, at most 20 MiB. Commands name it by upload_id and digest.",
            "tags": ["gateway"],
            "security": _security(files.RULE.roles, files.RULE.scopes),
            "requestBody": {
                "required": True,
                "content": {kind: {"schema": {"type": "string", "minLength": 1}} for kind in files.TYPES},
            },
            "responses": {"201": good, **self._refusals(reasons_of(None))},
            "x-roles": sorted(files.RULE.roles),
        }

    def _parameters(self, route: Route) -> list[Json]:
        fields = route.request.DESCRIPTOR.fields_by_name
        found: list[Json] = [self._parameter(fields[name], "path") for name in route.path_fields]
        found += [self._parameter(fields[name], "query") for name in route.query_fields]
        names = ["IdempotencyKey"] if route.idempotent_by_key else []
        names += ["Purpose", "CaseNo"] if route.rule.purpose_required else []
        names += ["IfNoneMatch"] if route.has_etag else []
        names += ["MinVersion"] if route.method == "GET" and route.service != "gateway" else []
        return found + [{"$ref": f"#/components/parameters/{name}"} for name in names]

    def _parameter(self, field: Any, place: str) -> Json:
        schema = self._field(field, is_input=True)
        if place == "path" and schema.get("type") == "string":
            schema = {"type": "string", "pattern": "^[a-z]{3}_[0-9a-f]{32}$"}
        return {
            "name": field.name,
            "in": place,
            "required": place == "path",
            "description": self._comments.get(str(field.full_name), ""),
            "schema": schema,
            "example": examples.of_field(field),
        }

    def _responses(self, route: Route) -> Json:
        names = ["X-Request-Id", "traceparent", "RateLimit-Policy", "RateLimit"]
        names += ["ETag"] if route.has_etag else []
        names += ["Idempotency-Replayed", "Hrss-Min-Version"] if route.idempotent_by_key else []
        good: Json = {
            "description": self._comments.get(str(route.response.DESCRIPTOR.full_name), "The answer."),
            "headers": _refs("headers", names),
            "content": {
                "application/json": {
                    "schema": self._output(route.response.DESCRIPTOR),
                    "example": examples.of_message(route.response.DESCRIPTOR, is_input=False),
                }
            },
        }
        for form in route.media:
            good["content"][form.kind] = {"schema": {"type": "string", "format": "binary"}}
        found: Json = {str(route.success_status): good}
        if route.has_etag:
            found["304"] = {"description": "Nothing has changed.", "headers": _refs("headers", ("ETag",))}
        return found | self._refusals(reasons_of(route))

    def _refusals(self, codes: Iterable[str]) -> Json:
        by_status: dict[int, list[str]] = {}
        for problem in self._catalogue.known(codes):
            by_status.setdefault(problem.status, []).append(problem.code)
        return {
            str(status): {
                "description": ", ".join(sorted(found)),
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                "x-problems": sorted(found),
            }
            for status, found in sorted(by_status.items())
        }

    def _input(self, descriptor: Any, without: Collection[str] = ()) -> Json:
        return self._schema(descriptor, is_input=True, without=without)

    def _output(self, descriptor: Any) -> Json:
        return self._schema(descriptor, is_input=False)

    def _schema(self, descriptor: Any, *, is_input: bool, without: Collection[str] = ()) -> Json:
        """A reference to the schema of a message, which is made at its first use."""
        if (scalar := _SCALARS.get(descriptor.full_name)) is not None:
            self.schemas[scalar[0]] = scalar[1]
            return {"$ref": f"#/components/schemas/{scalar[0]}"}
        is_top = descriptor.name.endswith(("Request", "Response"))
        name = descriptor.name if is_top or not is_input else f"{descriptor.name}Input"
        if name not in self.schemas:
            schema: Json = {"type": "object", "description": self._comments.get(descriptor.full_name, "")}
            self.schemas[name] = schema
            fields = [field for field in descriptor.fields if field.name not in without]
            schema["properties"] = {field.name: self._described(field, is_input=is_input) for field in fields}
            if is_input:
                schema["additionalProperties"] = False
            elif required := [field.name for field in fields if not field.has_presence]:
                schema["required"] = required
        return {"$ref": f"#/components/schemas/{name}"}

    def _described(self, field: FieldDescriptor, *, is_input: bool) -> Json:
        schema = self._field(field, is_input=is_input)
        text = self._comments.get(str(field.full_name), "")
        return schema | {"description": text} if text else schema

    def _field(self, field: FieldDescriptor, *, is_input: bool) -> Json:
        one = self._one(field, is_input=is_input)
        return {"type": "array", "items": one} if field.is_repeated else one

    def _one(self, field: FieldDescriptor, *, is_input: bool) -> Json:
        if field.message_type is not None:
            return self._schema(field.message_type, is_input=is_input)
        if field.enum_type is not None:
            return {
                "type": "string",
                "enum": [one.name for one in field.enum_type.values if one.number or not is_input],
            }
        if field.type == FieldDescriptor.TYPE_BOOL:
            return {"type": "boolean"}
        if field.type == FieldDescriptor.TYPE_STRING:
            return {"type": "string", "maxLength": TEXT_MAX, "pattern": _TEXT} if is_input else {"type": "string"}
        if field.type in LONG:
            return {"type": "string", "pattern": _LONG}
        return {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}


def _security(roles: Collection[str], scopes: Collection[str]) -> list[Json]:
    """Alternatives: a person's login, or a partner's token with one of the scopes."""
    if "PUBLIC" in roles:
        return [{}]
    found: list[Json] = [{"person": []}] if set(roles) - {"PARTNER"} else []
    return found + [{"partner": [] if scope == "*" else [scope]} for scope in sorted(scopes)]


def _refs(kind: str, names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/{kind}/{name}"} for name in names}
