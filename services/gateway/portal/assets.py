"""What pages load beside themselves: a style sheet and scripts, under names that change with their content.

htmx 4.0.1 (Zero-Clause BSD, `assets/htmx-LICENSE.txt`) is the file `dist/htmx.min.js` of its npm package `htmx.org`,
unchanged. Pages work without it.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request

FOLDER = Path(__file__).resolve().parent / "assets"
_FILES = {
    "portal.css": ("portal.css", "text/css; charset=utf-8"),
    "htmx.js": ("htmx-4.0.1.min.js", "text/javascript; charset=utf-8"),
    "verify-card.js": ("verify-card.js", "text/javascript; charset=utf-8"),
}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, ready to be sent."""

    path: str
    media_type: str
    plain: bytes
    packed: bytes


def _read(name: str, file: str, media_type: str) -> Asset:
    plain = (FOLDER / file).read_bytes()
    digest = hashlib.sha256(plain).hexdigest()[:12]
    return Asset(f"/assets/{digest}/{name}", media_type, plain, gzip.compress(plain, 9, mtime=0))


class Assets:
    """All of them, read once."""

    def __init__(self) -> None:
        self._by_name = {name: _read(name, file, kind) for name, (file, kind) in _FILES.items()}
        self._by_path = {asset.path: asset for asset in self._by_name.values()}

    def path(self, name: str) -> str:
        """The address of a file."""
        return self._by_name[name].path

    async def serve(self, request: Request) -> Response:
        """A file; an address with another digest is not there."""
        asset = self._by_path.get(request.url.path)
        if asset is None:
            return PlainTextResponse("not found\n", 404)
        headers = {"Cache-Control": _FOR_EVER, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
        if takes_gzip(request):
            return Response(asset.packed, 200, {**headers, "Content-Encoding": "gzip"}, asset.media_type)
        return Response(asset.plain, 200, headers, asset.media_type)


def takes_gzip(request: Request) -> bool:
    """Whether the browser unpacks gzip."""
    return "gzip" in request.headers.get("accept-encoding", "")
