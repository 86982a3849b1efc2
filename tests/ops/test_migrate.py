"""`hrss migrate`: what production gets that a development machine does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chassis import bus
from ops import migrate
from ops.servers import Broker, Databases

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("environ", "replicas"),
    [
        ({}, 1),
        ({"HRSS_ENV": "dev"}, 1),
        ({"HRSS_ENV": "prod"}, 3),
        ({"HRSS_ENV": "prod", "HRSS_NATS_REPLICAS": "5"}, 5),
        ({"HRSS_ENV": "dev", "HRSS_NATS_REPLICAS": "3"}, 3),
    ],
)
def test_streams_lie_on_three_nodes_in_production(
    environ: dict[str, str], replicas: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[bus.Limits | None] = []

    async def provision(_url: str, *, limits: bus.Limits | None = None, **_more: Any) -> None:
        given.append(limits)

    monkeypatch.setattr(bus, "provision", provision)
    monkeypatch.setattr(migrate, "databases_from", lambda _environ: Databases({}, {}))
    monkeypatch.setattr(migrate, "broker_from", lambda _environ: Broker({}, ""))
    monkeypatch.setattr(migrate, "SERVICES", ())

    assert migrate.main({**environ, "HRSS_KEYS_DIR": str(tmp_path)}) == 0
    assert given == [bus.Limits(replicas=replicas)]


@pytest.mark.parametrize("replicas", ["0", "2", "three", "-1"])
def test_a_number_of_replicas_that_cannot_agree_is_refused(replicas: str) -> None:
    with pytest.raises(ValueError, match="HRSS_NATS_REPLICAS"):
        migrate.replicas_from({"HRSS_NATS_REPLICAS": replicas})


def test_a_broker_that_is_away_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(migrate, "databases_from", lambda _environ: Databases({}, {}))
    monkeypatch.setattr(migrate, "broker_from", lambda _environ: Broker({}, "nats://127.0.0.1:9"))
    monkeypatch.setattr(migrate, "SERVICES", ())

    assert migrate.main({"HRSS_KEYS_DIR": str(tmp_path)}) == 1

    said = capfd.readouterr().err
    assert "HRSS_NATS_ADMIN_URL" in said
    assert "Traceback" not in said
