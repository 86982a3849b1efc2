"""What every test may ask for: the two real servers, started once per session and thrown away afterwards."""

from __future__ import annotations

import gc
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops.embedded.nats import EmbeddedNats
from ops.embedded.postgres import EmbeddedPostgres
from ops.secrets import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.plugins.databases"]

# Files of one or two long journeys: begun first, so that two workers end together.
LONG = ("tests/system/", "tests/race/", "tests/portal/test_browser.py", "tests/console/test_browser.py")
# Allowed in tests only: a test database is thrown away, so nothing in it has to survive a power cut.
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long journeys come first."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_collection_finish() -> None:
    """Twelve thousand tests stay for the whole session: the garbage collector need not look at them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def server_home() -> Iterator[Path]:
    """A directory that other users may pass through but not list: PostgreSQL does not run as root."""
    home = Path(tempfile.mkdtemp(prefix="hrss-test-"))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def server_keys(server_home: Path) -> Keys:
    """The passwords of the session's servers."""
    return Keys(server_home / "keys")


@pytest.fixture(scope="session")
def postgres(server_home: Path, server_keys: Keys) -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL; make databases with `create_database` and `clone_database`."""
    with EmbeddedPostgres(server_home / "pg", keys=server_keys, settings=FAST_SETTINGS) as server:
        yield server


@pytest.fixture(scope="session")
def nats_server(server_home: Path, server_keys: Keys) -> Iterator[EmbeddedNats]:
    """A running NATS with JetStream and a user per service, flushing as in production."""
    with EmbeddedNats(server_home / "nats", keys=server_keys) as server:
        yield server
