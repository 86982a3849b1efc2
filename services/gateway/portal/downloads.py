"""Files that pages hand out: comma-separated values that spreadsheets open rightly, and whatever else is saved."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_FIGURE = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows under their heads, with the mark by which spreadsheets know UTF-8; figures stay exact texts."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heads)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue().encode("utf-8-sig")


def attachment(name: str, content: bytes, media_type: str = "text/csv; charset=utf-8") -> Response:
    """A file to save under an ASCII name that tells nothing about a person."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def streamed(name: str, pieces: AsyncIterator[str]) -> Response:
    """A file that is as long as a city: it is read while it is sent."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return " ".join(value)
    text = "" if value is None else str(value)
    # A spreadsheet takes such a text for a formula; figures are none, and stay as they are.
    return f"'{text}" if text.startswith(_FORMULA) and not _FIGURE.fullmatch(text) else text
