"""Sealed fields and files: open only in their place, found only by who has the key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import files as chassis_files
from chassis import sealed
from chassis.files import Files
from chassis.sealed import SealBroken, Sealer
from kernel.errors import InvalidInput, NotFound, Refused

if TYPE_CHECKING:
    from pathlib import Path

SEALER = Sealer({1: bytes(32)}, bytes(range(32)))


@given(st.text(max_size=60))
def test_what_is_sealed_opens_in_its_place(text: str) -> None:
    assert SEALER.open_text("person", "name", "r1", SEALER.seal("person", "name", "r1", text)) == text


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_byte_never_opens(position: int, change: int) -> None:
    value = bytearray(SEALER.seal("person", "name", "r1", "张三"))
    value[position % len(value)] ^= change

    with pytest.raises(SealBroken):
        SEALER.open("person", "name", "r1", bytes(value))


@pytest.mark.parametrize("place", [("person", "name", "r2"), ("person", "id_no", "r1"), ("payee", "name", "r1")])
def test_a_value_does_not_open_elsewhere(place: tuple[str, str, str]) -> None:
    with pytest.raises(SealBroken):
        SEALER.open(*place, SEALER.seal("person", "name", "r1", "张三"))


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x09" + bytes(60)])
def test_what_was_never_sealed_does_not_open(value: bytes) -> None:
    with pytest.raises(SealBroken):
        SEALER.open("person", "name", "r1", value)


def test_equal_values_are_sealed_differently_and_indexed_equally() -> None:
    assert SEALER.seal("person", "name", "r1", "x") != SEALER.seal("person", "name", "r1", "x")
    assert SEALER.blind_index("id_no", "x") == SEALER.blind_index("id_no", "x")
    assert SEALER.blind_index("id_no", "x") != SEALER.blind_index("phone", "x")
    assert len(SEALER.blind_index("id_no", "x")) == 16


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    path = sealed.create_keys(tmp_path / "keys", "enrollment")
    content = path.read_bytes()

    assert sealed.create_keys(tmp_path / "keys", "enrollment").read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    path.chmod(0o640)
    with pytest.raises(PermissionError, match="0600"):
        Sealer.load(path)


def test_after_a_rotation_old_values_open_and_new_ones_use_the_new_key(tmp_path: Path) -> None:
    path = sealed.create_keys(tmp_path, "enrollment")
    old = Sealer.load(path)
    before = old.seal("t", "c", "r", "old")

    assert sealed.rotate(path) == 2

    new = Sealer.load(path)
    after = new.seal("t", "c", "r", "new")
    assert (before[0], after[0]) == (1, 2)
    assert new.open_text("t", "c", "r", before) == "old"
    assert old.blind_index("k", "v") == new.blind_index("k", "v")
    with pytest.raises(SealBroken):
        old.open("t", "c", "r", after)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A store of uploads."""
    sealed.create_files_key(tmp_path / "keys")
    return Files(tmp_path / "files", tmp_path / "keys")


async def test_an_upload_comes_back_as_it_was(files: Files) -> None:
    ref = await files.put(b"320602199001011234,2020-01\n")

    assert await files.get(ref.upload_id, ref.digest) == b"320602199001011234,2020-01\n"
    assert (ref.digest, ref.size) == (hashlib.sha256(b"320602199001011234,2020-01\n").hexdigest(), 27)


async def test_the_same_content_is_stored_once_and_never_in_clear(files: Files, tmp_path: Path) -> None:
    data = b"320602199001011234" * 10
    first, second = await files.put(data), await files.put(data)

    assert first.upload_id != second.upload_id
    stored = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert len(stored) == 3
    digest = hashlib.sha256(data).hexdigest()
    for path in stored:
        assert b"320602" not in path.read_bytes()
        assert digest not in str(path)
        assert path.stat().st_mode & 0o777 == 0o600


async def test_an_upload_with_another_digest_is_refused(files: Files) -> None:
    one, other = await files.put(b"one"), await files.put(b"other")

    with pytest.raises(Refused, match="UPLOAD_DIGEST_DIFFERS"):
        await files.get(one.upload_id, other.digest)


@pytest.mark.parametrize("upload_id", ["upl_" + "0" * 32, "../../etc/passwd", "", "upl_" + "0" * 32 + "\n"])
async def test_an_unknown_upload_is_not_found(files: Files, upload_id: str) -> None:
    with pytest.raises(NotFound, match="UPLOAD_NOT_FOUND"):
        await files.get(upload_id, "0" * 64)


async def test_a_file_that_is_too_large_is_refused(files: Files) -> None:
    with pytest.raises(InvalidInput, match="UPLOAD_TOO_LARGE"):
        await files.put(bytes(chassis_files.BYTES_MAX + 1))
