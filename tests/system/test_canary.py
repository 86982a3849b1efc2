"""The look-out itself: it must find what it is looking for, else its silence means nothing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.system.canary import leaks

if TYPE_CHECKING:
    from pathlib import Path

NEEDLE = "990000196603176459"
NAME = "赵示例一"


@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize("needle", [NEEDLE, NAME])
def test_a_needle_in_base64_is_found_at_every_alignment(tmp_path: Path, needle: str, shift: int) -> None:
    (tmp_path / "stream.blk").write_bytes(b"~~" + base64.b64encode(b"x" * shift + needle.encode() + b"tail") + b"~~")

    assert leaks(tmp_path, [needle])


@pytest.mark.parametrize("needle", [NEEDLE, NAME])
def test_a_needle_in_clear_or_hex_is_found(tmp_path: Path, needle: str) -> None:
    (tmp_path / "clear.log").write_text(f"before {needle} after", "utf-8")
    (tmp_path / "hex.log").write_text(f"before {needle.encode().hex()} after", "utf-8")

    assert len(leaks(tmp_path, [needle])) >= 2


def test_clean_files_are_silent(tmp_path: Path) -> None:
    (tmp_path / "clean.log").write_text("990000********6459 赵**", "utf-8")
    (tmp_path / "empty").touch()

    assert leaks(tmp_path, [NEEDLE, NAME]) == []
