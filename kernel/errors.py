"""Refusals: one class per kind, without a word about transport.

A refusal says *why* by its reason (``UPPER_SNAKE``, unique in its service). Its message is English for developers and
never contains personal data; what a citizen reads is written elsewhere, keyed by the reason.
"""

# ruff: noqa: N818 - a refusal reads as what it says, `raise NotFound(…)`; most are no errors of anybody

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

# The reason travels as google.rpc.ErrorInfo.reason, which allows 63 characters.
_REASON = re.compile(r"[A-Z][A-Z0-9_]{1,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field of an input: where, which reason, what is wrong (English, without the value)."""

    field: str
    reason: str
    message: str


class DomainError(Exception):
    """What every refusal has in common. Never raised itself: raise one of the kinds below.

    Args:
        reason: ``UPPER_SNAKE`` key of the refusal.
        message: What is wrong, for developers; no personal data.
        field: Path of the field that is wrong, if one is.
        source: Ids of the legal sources the refusal rests on.
        retry_after: Seconds after which the same call may succeed.
        violations: All wrong fields, when there are several.
        metadata: Values the text for citizens may print: dates, months, keys, amounts of law.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        field: str = "",
        source: Sequence[str] = (),
        retry_after: float | None = None,
        violations: Sequence[Violation] = (),
        **metadata: str,
    ) -> None:
        if type(self) is DomainError:
            raise TypeError("raise a kind of DomainError, not DomainError itself")
        if not _REASON.fullmatch(reason):
            raise ValueError("a reason is UPPER_SNAKE, 2 to 63 characters")
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        self.source = tuple(source)
        self.retry_after = retry_after
        self.violations = tuple(violations)
        self.metadata = dict(metadata)

    @property
    def kind(self) -> type["DomainError"]:
        """The kind that decides the status on the wire: the direct subclass of :class:`DomainError`."""
        kinds = [base for base in type(self).__mro__ if DomainError in base.__bases__]
        return kinds[0]

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class InvalidInput(DomainError):
    """Wrong whatever the state of the world; names the field."""


class Unauthenticated(DomainError):
    """We do not know who is calling."""


class Forbidden(DomainError):
    """We know who is calling, and they may not."""


class NotFound(DomainError):
    """There is no such thing, or none that the caller may know of."""


class AlreadyExists(DomainError):
    """The thing exists, and there can be only one."""


class Refused(DomainError):
    """The rule says no now; carries the source of the rule."""


class Conflict(DomainError):
    """Somebody else was faster; reading again and repeating may succeed."""


class Busy(DomainError):
    """A limit is reached; carries a delay."""


class Unavailable(DomainError):
    """Something we depend on is away; carries a delay."""


class PolicyParameterMissing(Refused):
    """A parameter of law is not known for the day asked; names file, key and day. Nothing is ever assumed instead."""

    def __init__(self, file: str, key: str, on: date | str) -> None:
        super().__init__(
            "POLICY_PARAMETER_MISSING",
            f"{file} has no value for {key} on {on}",
            file=file,
            key=key,
            on=str(on),
        )
