"""The test service as a process of its own, for the tests of start and end: `python -m tests.chassis.echo_service`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chassis.config import Settings, load
from chassis.rpc import Call, Servicer
from chassis.service import Service, run
from hrss.type.v1 import fact_pb2
from tests.chassis import demo
from tests.chassis.echo import pb

if TYPE_CHECKING:
    from chassis.transaction import Transaction


class Echo(Servicer):
    """Takes notes; a note "slow <file>" waits until the file exists."""

    service = pb.service("EchoService")

    async def TakeNote(self, request: Any, call: Call) -> Any:
        """Emit a fact about the person, once."""

        async def take(tx: Transaction) -> str:
            text = str(request.text)
            if text.startswith("slow "):
                await asyncio.to_thread(wait_for, Path(text.removeprefix("slow ")))
            tx.emit(pb.NoteTaken.Fact(header=fact_pb2.FactHeader(aggregate_id=request.person_id), text=text))
            return text

        return await call.once(take, lambda text: pb.TakeNoteResponse(text=text))

    async def GetNote(self, _request: Any, _call: Call) -> Any:
        """Nothing."""
        return pb.GetNoteResponse()

    GetRecord = GetEmployerNote = FindNote = Try = GetNote


async def hear(tx: Transaction, fact: Any) -> None:
    """Leave a trace of a fact that was heard."""
    tx.audit("note_heard", detail={"note": fact.header.aggregate_id})


def wait_for(path: Path) -> None:
    """Say that the work has begun, and go on when the test makes the file."""
    path.with_suffix(".begun").touch()
    while not path.exists():
        time.sleep(0.01)


def build(settings: Settings) -> Service:
    """The declaration."""
    return Service(settings=settings, servicers=[Echo()], consumers=[demo.a_consumer(on_written=hear)])


if __name__ == "__main__":
    run(build, load(Settings, service="gateway"))
