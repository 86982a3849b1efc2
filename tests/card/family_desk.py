"""The desk of family accounts: invitations, agreements, devices of delegates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from chassis import jobs, transaction
from chassis.worker import Worker
from hrss.card.v1 import family_service_pb2 as pb
from services.card import cose
from services.card.operations import family_days
from tests.card.builders import CLERK, TODAY, a_key
from tests.card.code_desk import SYSTEM, Codes, Phone, octets, text

if TYPE_CHECKING:
    from chassis.principal import Principal
    from services.card.crypto.algorithms import Private
    from tests.card.builders import Person

ELDER, CHILD, SPOUSE, OTHER = (
    pb.FAMILY_RELATION_ELDER,
    pb.FAMILY_RELATION_CHILD,
    pb.FAMILY_RELATION_SPOUSE,
    pb.FAMILY_RELATION_OTHER,
)
SHOW, QUERY, APPLY, PAYMENT = (
    pb.FAMILY_SCOPE_SHOW_CODE,
    pb.FAMILY_SCOPE_QUERY,
    pb.FAMILY_SCOPE_APPLY,
    pb.FAMILY_SCOPE_PAYMENT,
)
WINDOW = replace(CLERK, natural_person="clerk-1")


def state(one: pb.Delegation) -> str:
    """Where a family account stands, in short."""
    return pb.DelegationState.Name(one.state).removeprefix("DELEGATION_STATE_")


def ended_by(one: pb.Delegation) -> str:
    """What ended it, in short."""
    return pb.DelegationEndedBy.Name(one.ended_by).removeprefix("DELEGATION_ENDED_BY_")


@dataclass
class Families(Codes):
    """The desk of codes and of family accounts."""

    async def ready(self, name: str = "钱示例", birth: date = date(1990, 1, 1)) -> Person:
        """Somebody with a card in use."""
        person = await self.person(name, birth)
        await self.active(person)
        return person

    async def issued_to(self, name: str) -> Person:
        """Somebody with a card that nobody put into use yet."""
        person = await self.person(name)
        await self.issued(person)
        return person

    async def invite(
        self, delegate: Person, ward: Person, relation: Any = ELDER, by: Principal | None = None, **fields: Any
    ) -> pb.Delegation:
        """Invite a family member."""
        today = fields.pop("today", TODAY)
        values = {"ward_name": ward.name, "ward_id_no": ward.id_no, "scopes": [SHOW, QUERY], "relation": relation}
        request = pb.InviteWardRequest(request_id=a_key(), person_id=delegate.text, **{**values, **fields})
        reply = await self.call("InviteWard", request, by or delegate.acting(2), today)
        found: pb.Delegation = reply.delegation
        return found

    async def agree(self, one: pb.Delegation, by: Principal, today: date = TODAY, **fields: str) -> Any:
        """Agree to an invitation."""
        request = pb.ConsentToDelegationRequest(request_id=a_key(), delegation_id=one.delegation_id, **fields)
        return await self.call("ConsentToDelegation", request, by, today)

    async def joined(self, delegate: Person, ward: Person, relation: Any = ELDER, **fields: Any) -> pb.Delegation:
        """A family account in force: the ward agreed by face."""
        one = await self.invite(delegate, ward, relation, **fields)
        found: pb.Delegation = (await self.agree(one, ward.acting(3))).delegation
        return found

    async def guarded(self, delegate: Person, ward: Person, **fields: Any) -> pb.Delegation:
        """A family account of a child in force: the window looked at the guardian's proof."""
        one = await self.invite(delegate, ward, CHILD, **fields)
        found: pb.Delegation = (await self.agree(one, WINDOW, document_ref="户口簿第3号")).delegation
        return found

    async def end(self, one: pb.Delegation, by: Principal) -> pb.Delegation:
        """End a family account."""
        request = pb.EndDelegationRequest(request_id=a_key(), delegation_id=one.delegation_id)
        found: pb.Delegation = (await self.call("EndDelegation", request, by)).delegation
        return found

    async def family_of(self, person: Person, today: date = TODAY) -> list[pb.Delegation]:
        """The family accounts of a person."""
        request = pb.ListDelegationsRequest(person_id=person.text)
        return list((await self.call("ListDelegations", request, person.acting(2), today)).delegations)

    async def mint_for(self, one: pb.Delegation, delegate: Person, today: date = TODAY) -> str:
        """A code of the ward's card."""
        request = pb.MintWardTokenRequest(delegation_id=one.delegation_id)
        return str((await self.call("MintWardToken", request, delegate.acting(2), today)).token)

    async def bind_for(
        self, one: pb.Delegation, delegate: Person, key: Private | None = None, today: date = TODAY
    ) -> Phone:
        """Bind a device of the delegate."""
        key = key or self.office.keys.profile.generate()
        proof = key.sign(cose.write(["NT1/B", one.delegation_id, key.public.point]))
        request = pb.BindDelegateDeviceRequest(
            request_id=a_key(),
            delegation_id=one.delegation_id,
            device_key=text(key.public.point),
            proof=text(proof),
        )
        reply = await self.call("BindDelegateDevice", request, delegate.acting(3), today)
        return Phone(key, reply.device_id, octets(reply.credential))

    async def step(self, today: date = TODAY) -> int:
        """The daily step, to its end; how many changed. Asked again it is the same job, and done."""

        async def run(work: Any) -> Any:
            return await transaction.run(self.database, work, principal=SYSTEM, today=today, method="family")

        job = await run(lambda tx: family_days.start(tx, self.office))
        worker = Worker(self.database, [family_days.job(self.office, size=2)])
        before = job.done_count
        while await worker.run_one():
            pass
        done = await run(lambda tx: jobs.get(tx, job.id))
        assert done.state == "DONE"
        return int(done.done_count - before)
