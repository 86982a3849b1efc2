"""Simulated devices around the counter: a messages platform (短信平台仿真) and PIN pads (密码键盘仿真). Both say so.

The platform keeps the number of a message and its answer, and, in memory alone, the last texts, so that whoever tries
the platform can read the code that was sent; nobody is sent anything. The same number is the same message: it is never
there twice. What is asked to be lost is carried out and not answered, like a line that breaks at the wrong moment.

A pad is a page with a form: what the holder types goes to the gateway as the pads' own client would send it.
"""

from __future__ import annotations

import html
import json
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ops.client import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

    from ops.client import Gateway

HOST = "127.0.0.1"
SHOWN_TEXTS = 20
HEAD = '<!doctype html><html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title><h1>{title}</h1>'  # noqa: E501 - one line of HTML
SAYS = "<p><strong>仿真 / simulated</strong></p>"


@dataclass
class Messages:
    """What the messages platform knows: each message's answer, the last texts, and how many answers get lost."""

    answers: dict[str, dict[str, object]] = field(default_factory=dict)
    texts: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=SHOWN_TEXTS), repr=False)
    sent: dict[str, int] = field(default_factory=dict)
    lose: int = 0  # so many of the next answers are carried out and not given
    drop: int = 0  # so many of the next messages never arrive

    def routes(self) -> list[Route]:
        """The platform as it is called, and its page."""
        return [
            Route("/messages", self.send, methods=["POST"]),
            Route("/messages", self.page, methods=["GET"]),
            Route("/messages/{number}", self.answer, methods=["GET"]),
        ]

    async def send(self, request: Request) -> Response:
        """Take a message; it goes nowhere."""
        asked = json.loads(await request.body())
        number, phone, text = str(asked["request_no"]), str(asked["phone"]), str(asked["text"])
        if self.drop:
            self.drop -= 1
            return Response(status_code=504)
        self.sent[number] = self.sent.get(number, 0) + 1
        if number not in self.answers:
            self.answers[number] = {"outcome": "SENT", "simulated": True}
            self.texts.appendleft((f"{phone[:3]}****{phone[-4:]}", text))
        if self.lose:
            self.lose -= 1
            return Response(status_code=504)
        return JSONResponse(self.answers[number])

    async def answer(self, request: Request) -> Response:
        """Say what became of a message."""
        found = self.answers.get(request.path_params["number"])
        return JSONResponse(found) if found is not None else Response(status_code=404)

    async def page(self, _: Request) -> Response:
        """The last texts, for whoever tries the platform."""
        rows = "".join(f"<li><b>{html.escape(to)}</b><pre>{html.escape(text)}</pre></li>" for to, text in self.texts)
        return HTMLResponse(f"{HEAD.format(title='短信 / messages')}{SAYS}<ul>{rows}</ul>")


@dataclass
class Pads:
    """PIN pads of the windows, each under its name: a page where the holder types."""

    gateway: Gateway

    def routes(self) -> list[Route]:
        """The pages."""
        return [Route("/pin-pads/{terminal}", self.pad, methods=["GET", "POST"])]

    async def pad(self, request: Request) -> Response:
        """What the pad waits for, with room for six digits; the PIN is in no address and is not shown again."""
        terminal, said = str(request.path_params["terminal"]), ""
        if request.method == "POST":
            form = parse_qs((await request.body()).decode(errors="replace"))
            said = await self._enter(terminal, (form.get("pin") or [""])[0], (form.get("again") or [""])[0])
        waiting = await self._waiting(terminal)
        body = "<p>没有待输入的事项 / nothing waits here</p>"
        if waiting is not None:
            act = {"PIN_ACT_ACTIVATE": "激活 / activation"}.get(waiting["act"], "重置密码 / new PIN")
            typed = 'type="password" inputmode="numeric" maxlength="6" autocomplete="off"'
            body = (
                f"<p>{html.escape(waiting['name_masked'])} · {act}</p><form method=post>"
                f'<p><label>密码 / PIN <input name="pin" {typed}></label></p>'
                f'<p><label>再次输入 / again <input name="again" {typed}></label></p>'
                "<button>确定 / enter</button></form>"
            )
        title = f"密码键盘 / PIN pad {html.escape(terminal)}"
        return HTMLResponse(f"{HEAD.format(title=title)}{SAYS}<p role=status>{html.escape(said)}</p>{body}")

    async def _waiting(self, terminal: str) -> Any:
        try:
            return await self.gateway.get(f"/v1/pin-pads/{terminal}")
        except Problem:
            return None

    async def _enter(self, terminal: str, pin: str, again: str) -> str:
        waiting = await self._waiting(terminal)
        if waiting is None:
            return "没有待输入的事项 / nothing waits here"
        if pin != again:
            return "两次输入不一致 / the two differ"
        entry = waiting["pin_entry_id"]
        try:
            body = {"pin": pin, "simulated": True}
            await self.gateway.post(f"/v1/pin-entries/{entry}:enter", body, key=secrets.token_hex(16))
        except Problem:
            return "密码不符合要求，请换一个 / this PIN cannot be used, choose another"
        return "已输入 / entered"


def app(messages: Messages, pads: Pads | None = None) -> Starlette:
    """The devices as they are called."""
    return Starlette(routes=[*messages.routes(), *(pads.routes() if pads is not None else [])])
