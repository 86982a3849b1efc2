"""The card at the window: what each page sends, and that no page shows a PIN, a code or a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from hrss.card.v1 import card_pb2, family_service_pb2
from hrss.card.v1 import card_service_pb2 as pb
from hrss.card.v1 import contacts_service_pb2 as contacts
from hrss.card.v1 import counter_service_pb2 as counter
from tests.console.shown_cases import PERSON
from tests.portal.answers import CARD, card

if TYPE_CHECKING:
    from tests.portal.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLERK, SUPERVISOR = "staff-clerk-1", "staff-supervisor-1"
HOME = f"/desk/cards/{PERSON}"
ENTRY, CODE, DELEGATION = "pin_" + "1" * 32, "cod_" + "2" * 32, "dlg_" + "3" * 32
WINDOW = f"{HOME}/window/{CARD}"


def posts(site: Site) -> list[tuple[str, Any]]:
    """What the API was asked to change: path and body."""
    return [(path, orjson.loads(body)) for method, path, _, body in site.overlay.seen if method == "POST"]


async def test_a_new_pin_is_typed_on_the_pad_and_takes_two_proofs(site: Site) -> None:
    answers = site.overlay.answers
    answers["GET", f"/v1/cards/{CARD}"] = pb.GetCardResponse(card=card(card_pb2.CARD_STATE_LOCKED))
    answers["POST", f"/v1/cards/{CARD}:ask-for-pin"] = counter.AskForPinResponse(pin_entry_id=ENTRY, valid_seconds=300)
    entry = counter.GetPinEntryResponse(
        state=counter.PIN_ENTRY_STATE_ENTERED, terminal="W01-1", act=counter.PIN_ACT_RESET_PIN, simulated=True
    )
    answers["GET", f"/v1/pin-entries/{ENTRY}"] = entry
    answers["POST", f"/v1/cards/{CARD}:send-reset-code"] = counter.SendResetCodeResponse(
        code_id=CODE, phone_masked="138****8000", valid_seconds=300
    )
    path = f"/v1/cards/{CARD}:reset-pin-at-counter"
    answers["POST", path] = counter.ResetPinAtCounterResponse(confirmed=False, tries_left=4)
    async with site.browser(CLERK, acr=3) as visitor:
        offered = (await visitor.get(WINDOW)).text
        asked = await visitor.post(WINDOW, {"act": "reset", "terminal": "w01-1"})
        sent = await visitor.post(f"{WINDOW}/{ENTRY}", {"what": "send-code"})
        body = {"what": "reset", "evidence_ref": "REC-1", "code_id": CODE, "code": "135790"}
        wrong = await visitor.post(f"{WINDOW}/{ENTRY}", body)
        answers["POST", path] = counter.ResetPinAtCounterResponse(confirmed=True, card=card())
        done = await visitor.post(f"{WINDOW}/{ENTRY}", {**body, "code": "222222"})

    assert ('value="reset"' in offered, 'value="activate"' in offered) == (True, False)
    assert asked.headers["location"] == f"{WINDOW}/{ENTRY}"
    assert "138****8000" in sent.text
    assert CODE in sent.text
    assert "135790" not in wrong.text
    assert "4" in wrong.text
    assert (done.status_code, done.headers["location"]) == (303, HOME)
    proofs = {"pin_entry_id": ENTRY, "evidence_ref": "REC-1", "code_id": CODE}
    assert posts(site) == [
        (f"/v1/cards/{CARD}:ask-for-pin", {"act": "PIN_ACT_RESET_PIN", "terminal": "W01-1"}),
        (f"/v1/cards/{CARD}:send-reset-code", {}),
        (path, proofs | {"code": "135790"}),
        (path, proofs | {"code": "222222"}),
    ]


async def test_telephone_family_and_locks_at_the_window(site: Site) -> None:
    answers = site.overlay.answers
    answers["GET", f"/v1/persons/{PERSON}/contact"] = contacts.GetContactResponse()
    answers["POST", f"/v1/persons/{PERSON}/contact"] = contacts.SetContactResponse(
        code_id=CODE, phone_masked="138****8000", valid_seconds=300
    )
    answers["POST", f"/v1/text-codes/{CODE}:confirm"] = contacts.ConfirmContactResponse(confirmed=True)
    one = family_service_pb2.Delegation(
        delegation_id=DELEGATION,
        is_delegate=True,
        other_name_masked="钱*例",
        relation=family_service_pb2.FAMILY_RELATION_ELDER,
        state=family_service_pb2.DELEGATION_STATE_PENDING,
    )
    one.state_since.year, one.state_since.month, one.state_since.day = 2026, 7, 20
    answers["GET", f"/v1/persons/{PERSON}/delegations"] = family_service_pb2.ListDelegationsResponse(delegations=[one])
    answers["POST", f"/v1/delegations/{DELEGATION}:consent"] = family_service_pb2.ConsentToDelegationResponse()
    answers["POST", f"/v1/delegations/{DELEGATION}:end"] = family_service_pb2.EndDelegationResponse()
    answers["GET", f"/v1/persons/{PERSON}/cards"] = pb.ListCardsResponse(cards=[card(card_pb2.CARD_STATE_LOCKED)])
    answers["POST", f"/v1/cards/{CARD}:unlock"] = pb.UnlockCardResponse()
    async with site.browser(CLERK, acr=3) as visitor:
        given = await visitor.post(f"{HOME}/contact", {"what": "give", "phone": "13800138000", "evidence_ref": "REC-1"})
        await visitor.post(f"{HOME}/contact", {"what": "confirm", "code_id": CODE, "code": "123456"})
        listed = (await visitor.get(f"{HOME}/family")).text
        await visitor.post(
            f"{HOME}/family", {"what": "agree", "delegation_id": DELEGATION, "document_ref": "户口簿第3号"}
        )
        await visitor.post(f"{HOME}/family", {"what": "end", "delegation_id": DELEGATION})
    async with site.browser(SUPERVISOR, acr=3) as visitor:
        assert 'name="reason"' in (await visitor.get(f"{HOME}/lock")).text
        await visitor.post(f"{HOME}/lock", {"reason": "已核实"})

    assert "13800138000" not in given.text
    assert "钱*例" in listed
    assert posts(site) == [
        (f"/v1/persons/{PERSON}/contact", {"phone": "13800138000", "evidence_ref": "REC-1"}),
        (f"/v1/text-codes/{CODE}:confirm", {"code": "123456"}),
        (f"/v1/delegations/{DELEGATION}:consent", {"document_ref": "户口簿第3号"}),
        (f"/v1/delegations/{DELEGATION}:end", {}),
        (f"/v1/cards/{CARD}:unlock", {"reason": "已核实"}),
    ]
