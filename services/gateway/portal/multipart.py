"""Files that a form brings: `multipart/form-data` as browsers send it, read within the limit that the page allows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BOUNDARY = re.compile(r'multipart/form-data;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', re.ASCII)
_NAME = re.compile(rb'[; ]name="([^"\r\n]{0,200})"')
_FILE_NAME = re.compile(rb'filename="([^"\r\n]{0,300})"')
_PARTS_MAX = 100


class MultipartWrong(ValueError):  # noqa: N818 - it says what happened
    """The body is no such form."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form; what it holds is printed nowhere."""

    name: str = field(repr=False)
    data: bytes = field(repr=False)


def is_multipart(content_type: str) -> bool:
    """Whether a form brings files."""
    return content_type.startswith("multipart/form-data")


def parse(content_type: str, body: bytes) -> tuple[list[tuple[str, str]], dict[str, Upload]]:
    """Values in their order, and files by the name of their field; a field without a file is no file.

    Raises:
        MultipartWrong: No boundary, too many parts, or a part without a name.
    """
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise MultipartWrong("no boundary")
    delimiter = b"\r\n--" + (found[1] or found[2]).encode()
    parts = (b"\r\n" + body).split(delimiter)[1:]
    if len(parts) > _PARTS_MAX or not parts or not parts[-1].startswith(b"--"):
        raise MultipartWrong("parts")
    values: list[tuple[str, str]] = []
    files: dict[str, Upload] = {}
    for part in parts[:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is None:
            raise MultipartWrong("a part has no name")
        file = _FILE_NAME.search(head)
        if file is None:
            values.append((name[1].decode(), content.decode()))
        elif content:
            files[name[1].decode()] = Upload(file[1].decode(errors="replace"), content)
    return values, files
