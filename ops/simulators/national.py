"""Simulated national card platform (全国社保卡服务平台仿真): says that it is one with every answer.

It keeps the number of an order and its answer, and of the holder nothing. The same number is the same order: a second
one issues nothing. Orders of names that end in 拒 are declined, so that a story can show it. What is asked to be lost
is carried out and not answered, like a line that breaks at the wrong moment.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

HOST = "127.0.0.1"
DECLINED_ENDING = "拒"


@dataclass
class National:
    """What the simulator knows: each order's answer, how often it was sent, and how many answers get lost."""

    answers: dict[str, dict[str, object]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    lose: int = 0  # so many of the next answers are carried out and not given
    drop: int = 0  # so many of the next orders never arrive

    def app(self) -> Starlette:
        """The platform as it is called."""
        return Starlette(
            routes=[
                Route("/orders", self.order, methods=["POST"]),
                Route("/orders/{number}", self.answer, methods=["GET"]),
                Route("/healthz", lambda _: JSONResponse({"simulated": True})),
            ]
        )

    async def order(self, request: Request) -> Response:
        """Take an order."""
        asked = json.loads(await request.body())
        number, name = str(asked["request_no"]), str(asked["name"])
        if self.drop:
            self.drop -= 1
            return Response(status_code=504)
        self.sent[number] = self.sent.get(number, 0) + 1
        if number not in self.answers:
            is_declined = name.endswith(DECLINED_ENDING)
            self.answers[number] = {
                "outcome": "DECLINED" if is_declined else "ISSUED",
                "sign_no": "" if is_declined else f"SIM-{len(self.answers) + 1:08d}",
                "simulated": True,
            }
        if self.lose:
            self.lose -= 1
            return Response(status_code=504)
        return JSONResponse(self.answers[number])

    async def answer(self, request: Request) -> Response:
        """Say what became of an order."""
        found = self.answers.get(request.path_params["number"])
        return JSONResponse(found) if found is not None else Response(status_code=404)


def main() -> None:
    """Run it until told to stop."""
    port = int(os.environ["HRSS_NATIONAL_PORT"])
    server = uvicorn.Server(uvicorn.Config(National().app(), host=HOST, port=port, log_level="warning"))
    if ready := os.environ.get("HRSS_READY_FILE"):
        Path(ready).write_text(json.dumps({"pid": os.getpid()}))
    server.run()


if __name__ == "__main__":
    if os.environ.get("HRSS_ENV", "dev") not in {"dev", "test"}:
        sys.exit("仿真程序不得用于生产环境。 / Simulators are refused in production (HRSS_ENV=prod).")
    main()
