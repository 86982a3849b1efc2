"""`hrss audit verify`: what an operator sees and how it ends."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from chassis import audit_file
from chassis import bus as chassis_bus
from chassis.audit_sealer import AuditSealer
from ops import audit
from ops.home import Home
from ops.servers import SERVICES
from tests.chassis.demo import MIGRATIONS
from tests.chassis.test_audit_chain import note, sign
from tests.plugins.databases import Nats, NewDatabase, owner_execute

if TYPE_CHECKING:
    from pathlib import Path

    from chassis.database import Database


@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    """The database that plays the one of every service."""
    database = await new_database("demo", migrations=MIGRATIONS)
    database.settings = database.settings.model_copy(update={"service": "card"})
    return database


async def seen(
    database: Database, service: str, against: Path | None = None, *, as_json: bool = False, broker: str = ""
) -> tuple[int, str]:
    """Exit code and what was printed."""
    settings = database.settings
    environ = {"HRSS_KEYS_DIR": str(settings.keys_dir), "HRSS_AUDIT_DIR": str(settings.audit_files)}
    for one in SERVICES:
        environ[f"HRSS_{one.upper()}_DATABASE_URL"] = settings.database_url
        environ[f"HRSS_{one.upper()}_DATABASE_OWNER_URL"] = settings.database_owner_url
    shown = io.StringIO()
    home = Home(settings.audit_files.parent)
    if broker:
        environ["HRSS_NATS_URL"] = broker
    asked = audit.Asked(service, against, with_stream=bool(broker), as_json=as_json)
    code = await audit.run(home, environ, asked, Console(file=shown, width=200))
    return code, shown.getvalue()


async def test_an_operator_is_told_which_row_is_the_first_that_is_wrong(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await note(database, 4)
    await sign(database)
    copy = tmp_path / "copy"
    copy.mkdir()
    path = audit_file.path_of(database.settings.audit_files, "card")
    (copy / path.name).write_bytes(path.read_bytes())

    code, said = await seen(database, "card")
    assert (code, "rows 4" in said, "outside 1" in said) == (0, True, True)
    assert (await seen(database, "card", copy / path.name))[0] == 0

    await owner_execute(database, "DELETE FROM audit WHERE seq >= 3; DELETE FROM audit_seal WHERE number >= 3")
    await owner_execute(database, "DELETE FROM audit_checkpoint")
    path.unlink()
    code, said = await seen(database, "card")
    assert (code, "nothing outside" in said) == (0, True)
    code, said = await seen(database, "card", copy)
    assert code == 1
    assert "自第 3 条" not in said
    assert "row 3 and those after it were cut off" in said
    assert "第 3 条及以后的记录已被截去" in said
    code, _ = await seen(database, "card", copy, as_json=True)
    (found,) = json.loads(capsys.readouterr().out)
    assert (code, found["ok"], found["first_fault"]["kind"], found["first_fault"]["number"]) == (
        1,
        False,
        "tail_cut",
        3,
    )


async def test_the_stream_is_compared_where_the_files_are_gone(database: Database, nats: Nats) -> None:
    await chassis_bus.provision(nats.server.admin_url, streams=[], consumers={}, with_audit=True)
    one = AuditSealer(database, await nats.bus("card"), every_seconds=0)
    for _ in range(3):
        await note(database)
        await one.seal()
        await one.hand_out()

    code, said = await seen(database, "card", broker=nats.server.admin_url)
    assert (code, "outside 3" in said) == (0, True)
    await owner_execute(
        database, "DELETE FROM audit_checkpoint WHERE number = 3; DELETE FROM audit_seal WHERE number = 3"
    )
    code, said = await seen(database, "card", broker=nats.server.admin_url)
    assert (code, "row 3 and those after it were cut off" in said) == (1, True)


async def test_where_nobody_can_look_the_exit_code_is_two(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("no line of ours\n")

    codes = [
        (await seen(database, "lunch"))[0],
        (await seen(database, "card", tmp_path / "nothing"))[0],
        (await seen(database, "card", broken))[0],
    ]

    assert codes == [2, 2, 2]
    assert "no such service" in capsys.readouterr().err
