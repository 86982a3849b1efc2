"""An uploaded file that a job works through, read and checked once per process instead of once per chunk."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from chassis.files import Files
from kernel.errors import NotFound, Refused

KEEP_SECONDS = 60.0  # chunks of a job follow one another within seconds

Content = TypeVar("Content")


class Archive(Generic[Content]):
    """The file that is being imported, kept while chunks follow one another, and forgotten soon after.

    Args:
        files: Where uploads lie.
        read: Reads the bytes and checks them to the first level; may raise InvalidInput.
    """

    def __init__(self, files: Files, read: Callable[[bytes], Content]) -> None:
        self._files = files
        self._read = read
        self._lock = asyncio.Lock()
        self._key = ("", "")
        self._content: Content | None = None
        self._end: asyncio.TimerHandle | None = None

    async def open(self, upload_id: str, digest: str) -> Content:
        """The file of an upload, checked to the first level.

        Raises:
            NotFound: FILE_NOT_FOUND.
            InvalidInput: FILE_FORMAT_INVALID.
        """
        async with self._lock:
            content = self._content
            if content is None or self._key != (upload_id, digest):
                try:
                    data = await self._files.get(upload_id, digest)
                except (NotFound, Refused):
                    raise NotFound(
                        "FILE_NOT_FOUND", "there is no upload with this id and digest", field="upload_id"
                    ) from None
                content = self._content = await asyncio.to_thread(self._read, data)
                self._key = (upload_id, digest)
            if self._end is not None:
                self._end.cancel()
            self._end = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._forget)
            return content

    def _forget(self) -> None:
        """Names and numbers in clear stay in memory no longer than the work needs them."""
        self._content = None
