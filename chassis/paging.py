"""Pages of lists: bounded sizes, and tokens that work only for the caller and the query they were given to.

    page = paging.read(tx, size=request.page_size, token=request.page_token, query=f"payments of {person_id}")
    rows = await store.payments(tx, person_id, before=page.after, limit=page.size + 1)
    token = paging.following(tx, page, cursor_of_last_row) if len(rows) > page.size else ""

A token is the cursor with a keyed digest over caller, method, query and cursor: it hides nothing, and opens nothing
else.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.sealed import INDEX_BYTES
from kernel.errors import InvalidInput

if TYPE_CHECKING:
    from chassis.transaction import Transaction

SIZE_DEFAULT = 50
SIZE_MAX = 200
_TOKEN_MAX = 512  # characters; cursors are a key or two


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for: so many rows after a cursor; an empty cursor is the beginning."""

    size: int
    after: str
    query: str


def read(tx: Transaction, *, size: int, token: str, query: str) -> Page:
    """Read what a request asks for.

    Args:
        tx: Whose caller and method the token is bound to.
        size: 1 to 200; 0 means 50.
        token: From the page before; empty for the first page.
        query: Everything else that decides which rows the list has, as text.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID; PAGE_TOKEN_INVALID for a token that was changed, or made for others.
    """
    if not 0 <= size <= SIZE_MAX:
        raise InvalidInput("PAGE_SIZE_INVALID", f"a page has 1 to {SIZE_MAX} rows", field="page_size")
    return Page(size or SIZE_DEFAULT, _open(tx, token, query) if token else "", query)


def following(tx: Transaction, page: Page, cursor: str) -> str:
    """The token of the page after this one; `cursor` is that of its last row."""
    return base64.urlsafe_b64encode(_digest(tx, page.query, cursor) + cursor.encode()).decode().rstrip("=")


def _open(tx: Transaction, token: str, query: str) -> str:
    if len(token) > _TOKEN_MAX or not token.isascii():
        raise _invalid()
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        cursor = content[INDEX_BYTES:].decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _invalid() from None
    if not cursor or not hmac.compare_digest(content[:INDEX_BYTES], _digest(tx, query, cursor)):
        raise _invalid()
    return cursor


def _digest(tx: Transaction, query: str, cursor: str) -> bytes:
    parts = (tx.principal.caller, tx.method, query, cursor)
    return tx.database.sealer.blind_index("page_token", "\x00".join(parts))


def _invalid() -> InvalidInput:
    return InvalidInput("PAGE_TOKEN_INVALID", "the page token is not one of this list", field="page_token")
