"""Asking all services the same question at once, with a short deadline; whoever does not answer is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

from google.protobuf.message import Message

from chassis.client import HOP_SECONDS, Deadline
from chassis.logs import get_logger
from chassis.problems import Fault
from kernel.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from chassis.call import Call
    from chassis.client import Reply
    from chassis.principal import Principal

log = get_logger(__name__)

# A service that is well says how it is within milliseconds, and counts a million insured in half a second on two busy
# cores; a page that refreshes itself must not wait longer for one that is ill.
ASK_SECONDS = 2.0

M = TypeVar("M", bound=Message)


class Callee(Protocol):
    """Whoever answers RPCs, over the network or in this process."""

    async def call(
        self,
        method: str,
        body: bytes,
        *,
        principal: Principal,
        today: date,
        deadline: Deadline,
        request_id: str = "",
        min_version: str = "",
    ) -> Reply:
        """Call an RPC with the bytes of its request."""
        ...


async def ask(callees: Mapping[str, Callee], rpc: str, request: Message, reply: type[M], call: Call) -> dict[str, M]:
    """The answers by service, in the order given; who did not answer in time, or refused, is not among them.

    Args:
        callees: Whom to ask.
        rpc: Name of an RPC of OperationsService.
        request: What is asked.
        reply: The message that answers it.
        call: On whose behalf: the principal and the business day go with each question.
    """
    body = request.SerializeToString()
    deadline = Deadline.after(min(ASK_SECONDS, call.remaining() - HOP_SECONDS))

    async def one(service: str, callee: Callee) -> M | None:
        try:
            async with asyncio.timeout(max(0.0, deadline.remaining())):
                answer = await callee.call(
                    f"/hrss.operations.v1.OperationsService/{rpc}",
                    body,
                    principal=call.principal,
                    today=call.today,
                    deadline=deadline,
                    request_id=call.request_id,
                )
        except (DomainError, Fault, TimeoutError) as error:
            log.info("service_did_not_answer", service=service, asked=rpc, error=type(error).__name__)
            return None
        return reply.FromString(answer.body)

    answers = await asyncio.gather(*(one(service, callee) for service, callee in callees.items()))
    return {service: answer for service, answer in zip(callees, answers, strict=True) if answer is not None}
