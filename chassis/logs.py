"""Logs: constant event names with fields, one JSON object a line, personal data replaced before anything is written.

    log = get_logger(__name__)
    log.info("card_issued", card_id=card_id)

Three nets catch personal data that somebody logs by mistake: names of fields, the shape of numbers in any text, and
Chinese text in foreign exceptions. They are nets; not to log it is still the rule. Standard-library loggers of
libraries go through the same nets.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from structlog.contextvars import bound_contextvars

from kernel.errors import DomainError

if TYPE_CHECKING:
    from types import TracebackType

    from structlog.typing import FilteringBoundLogger

    from chassis.config import Settings

REDACTED = "[redacted]"

# Field names that hold personal data wherever they appear in this system.
PERSONAL_KEYS = frozenset(
    (
        "name",
        "full_name",
        "person_name",
        "holder_name",
        "payee_name",
        "display_name",
        "former_name",
        "name_zh",
        "contact_name",
        "agent_name",
        "id_no",
        "id_number",
        "identity_number",
        "resident_id",
        "national_id",
        "certificate_no",
        "passport_no",
        "phone",
        "phone_number",
        "mobile",
        "mobile_number",
        "telephone",
        "contact_phone",
        "email",
        "account",
        "account_no",
        "account_number",
        "bank_account",
        "bank_account_no",
        "bank_card",
        "iban",
        "payee_account",
        "card_number",
        "address",
        "home_address",
        "birth",
        "birth_date",
        "date_of_birth",
        "authorization",
        "cookie",
        "token",
        "access_token",
        "refresh_token",
        "password",
        "secret",
        "client_secret",
        "assertion",
    )
)

# Resident identity numbers are recognised by the date inside, also within longer text; then runs of digits as long as
# account and old identity numbers; then mobile numbers. Hexadecimal neighbours mean that it is part of an id of ours.
_NUMBERS = re.compile(
    r"(?<![0-9])[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx](?![0-9])"
    r"|(?<![0-9A-Fa-f])[0-9]{15,19}[Xx]?(?![0-9A-Fa-f])"
    r"|(?<![0-9A-Fa-f])(?:\+?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9A-Fa-f])",
    re.ASCII,
)
_FULL_WIDTH = {0xFF10 + digit: ord("0") + digit for digit in range(10)} | {0xFF38: ord("X"), 0xFF58: ord("x")}
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u00b7]+")

# Drivers and validators repeat values ("Key (id_number)=(…) already exists"), so their texts are dropped.
_TALKATIVE = ("asyncpg", "sqlalchemy", "pydantic", "pydantic_core", "google")
_MESSAGE_MAX = 300  # enough for a sentence; longer texts are dumps of something
_FRAMES_MAX = 30  # the deepest frames say where it happened
_DEPTH_MAX = 6  # a log field is flat or nearly so

Event = MutableMapping[str, Any]


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger; `name` is the module. It reads the set-up at its first line, so a module may make one when imported."""
    logger: FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


@contextlib.contextmanager
def bound(**values: str) -> Iterator[None]:
    """Put values on every line that is logged inside, also by what is called from there."""
    with bound_contextvars(**values):
        yield


def configure(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Set up logging of this process: JSON lines, or readable ones on a developer's terminal."""
    out = stream or sys.stderr
    readable = settings.env == "dev" and out.isatty()
    shared: list[Callable[[Any, str, Event], Mapping[str, Any] | str | bytes | tuple[Any, ...]]] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service(settings.service),
        render_exception,
        redact,
    ]
    renderer = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if readable
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=stream is None,
    )
    handler = _Handler(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_of_library, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        ),
        out,
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING if settings.log_level == "info" else settings.log_level.upper())
    logging.captureWarnings(capture=True)
    if stream is None:
        _catch_uncaught()


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Processor: replace what is personal by its key or by its shape."""
    return {key: REDACTED if _is_personal(key) and value else clean(value) for key, value in event.items()}


def clean(value: Any, depth: int = 0) -> Any:
    """The value without numbers that name a person; whatever is no plain value becomes its text."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return REDACTED if _NUMBERS.search(str(value)) else value
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return REDACTED if depth >= _DEPTH_MAX else _clean_many(value, depth + 1)
    return _clean_text(_as_text(value))


def describe(error: BaseException) -> str:
    """Type and, where it cannot carry somebody's data, text of an exception."""
    kind = type(error)
    if isinstance(error, DomainError):
        return f"{kind.__name__}: {_clean_text(str(error))}"
    if kind.__module__.partition(".")[0] in _TALKATIVE:
        known = [f"{key}={getattr(error, key)}" for key in ("sqlstate", "constraint_name") if getattr(error, key, None)]
        origin = getattr(error, "orig", None)
        inner = f" from {describe(origin)}" if isinstance(origin, BaseException) else ""
        return " ".join([f"{kind.__module__}.{kind.__qualname__}", *known]) + inner
    text = _CHINESE.sub("[…]", _clean_text(str(error)))
    return f"{kind.__qualname__}: {text[:_MESSAGE_MAX]}" if text else kind.__qualname__


def render_exception(_logger: Any, method: str, event: Event) -> Event:
    """Processor: turn `exc_info` into types, cleaned texts and places; never values of local variables."""
    exc_info = event.pop("exc_info", None) or (method == "exception" or None)
    error: BaseException | None = None
    if isinstance(exc_info, BaseException):
        error = exc_info
    elif isinstance(exc_info, tuple):
        error = exc_info[1]
    elif exc_info:
        error = sys.exc_info()[1]
    if error is not None:
        event["exception"] = chain(error)
    return event


def chain(error: BaseException) -> list[dict[str, Any]]:
    """An exception and what caused it, outermost first, each with the places it went through."""
    found: list[dict[str, Any]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(found) < _DEPTH_MAX:
        seen.add(id(current))
        frames = traceback.extract_tb(current.__traceback__)[-_FRAMES_MAX:]
        found.append(
            {"error": describe(current), "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}
        )
        if isinstance(current, BaseExceptionGroup):
            found[-1]["inside"] = [describe(inner) for inner in current.exceptions]
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return found


def _catch_uncaught() -> None:
    """Put the same nets under exceptions that nobody caught, also in threads; Python would print them whole."""
    log = get_logger(__name__)

    def at_exit(_kind: type[BaseException], error: BaseException, _places: TracebackType | None) -> None:
        log.critical("uncaught", exc_info=error)

    def in_thread(given: threading.ExceptHookArgs) -> None:
        log.critical("uncaught", exc_info=given.exc_value, thread=given.thread.name if given.thread else "")

    def in_finalizer(given: sys.UnraisableHookArgs) -> None:
        log.error("uncaught", exc_info=given.exc_value, where="finalizer")

    sys.excepthook, threading.excepthook, sys.unraisablehook = at_exit, in_thread, in_finalizer


def _clean_many(value: Mapping[Any, Any] | Iterable[Any], depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(k): REDACTED if _is_personal(str(k)) and v else clean(v, depth) for k, v in value.items()}
    return [clean(item, depth) for item in value]


def _as_text(value: Any) -> str:
    if isinstance(value, BaseException):
        return describe(value)
    return f"[{len(value)} bytes]" if isinstance(value, bytes) else str(value)


def _clean_text(text: str) -> str:
    if text.isascii():
        return _NUMBERS.sub(REDACTED, text)
    return _NUMBERS.sub(REDACTED, text.translate(_FULL_WIDTH))


def _is_personal(key: str) -> bool:
    return key.lower() in PERSONAL_KEYS


def _service(name: str) -> Callable[[Any, str, Event], Event]:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        event.setdefault("service", name)
        return event

    return add


def _of_library(_logger: Any, _method: str, event: Event) -> Event:
    """A library's free text is no event name: it becomes the field `text` of the event `library_log`.

    Libraries put anything into their texts, so Chinese text is cut out of them as from exceptions.
    """
    record = event.get("_record")
    event["module"] = record.name if record else ""
    event["text"] = _CHINESE.sub("[…]", str(event.get("event", "")))[:_MESSAGE_MAX]
    event["event"] = "library_log"
    if record is not None and record.exc_info:
        event["exc_info"] = record.exc_info
    return event


class _Handler(logging.Handler):
    """Writes what standard-library loggers say; a broken pipe of the log is no reason to stop."""

    def __init__(self, formatter: logging.Formatter, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(self.format(record) + "\n")
            self._stream.flush()
