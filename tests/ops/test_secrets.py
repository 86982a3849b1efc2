"""Secret files: made once, private from their first moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ops.secrets import Keys, write_private

if TYPE_CHECKING:
    from pathlib import Path


def test_password_is_made_once_and_kept(tmp_path: Path) -> None:
    first = Keys(tmp_path / "keys").password("bank")

    assert Keys(tmp_path / "keys").password("bank") == first
    assert len(first) == 32


def test_passwords_differ_by_name(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")

    assert keys.password("bank") != keys.password("tax")


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    keys.password("bank")

    assert keys.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in keys.directory.iterdir()} == {0o600}


def test_an_existing_secret_is_never_replaced(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"first")
    write_private(tmp_path / "key", b"second")

    assert (tmp_path / "key").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")

    with ThreadPoolExecutor(8) as pool:
        passwords = set(pool.map(lambda _: keys.password("bank"), range(32)))

    assert len(passwords) == 1
