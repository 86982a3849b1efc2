"""Keys in a PKCS#11 module: SoftHSM2 where it is installed (Debian: softhsm2), skipped visibly where it is not."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hrss.card.v1 import keys_service_pb2 as keys_pb
from kernel.errors import Unavailable
from services.card import tokens
from services.card.crypto import profile as profiles
from services.card.keyring import KeyRing, KeyState, KeysWrong, Purpose, SigningKey
from services.card.operations import keys as key_operations
from services.card.pkcs11 import Pkcs11Provider
from services.card.providers import ONLINE
from services.card.service import build
from services.card.settings import CardSettings
from services.card.status import Status
from services.card.tokens import Token
from tests.card.builders import a_key
from tests.card.code_desk import Codes
from tests.card.rings import OTHERS
from tests.card.test_codes import an_operator
from tests.card.test_verifying import told
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.plugins.databases import NewDatabase

PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
MODULE = next((path for path in (os.environ.get("SOFTHSM2_MODULE", ""), *PLACES) if path and Path(path).exists()), "")
UTILITY = shutil.which(os.environ.get("SOFTHSM2_UTIL", "softhsm2-util")) or ""

pytestmark = pytest.mark.skipif(not (MODULE and UTILITY), reason="SoftHSM2 is not installed")


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A fresh token; the module reads its configuration once in a process."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    making = ["--init-token", "--free", "--label", "hrss", "--pin", "1234", "--so-pin", "5678", "--module", MODULE]
    subprocess.run([UTILITY, *making], check=True, capture_output=True)
    yield MODULE
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def test_keys_are_made_in_the_module_and_sign_there(module: str) -> None:
    with pytest.raises(KeysWrong):
        Pkcs11Provider(module, "hrss", "0000")
    provider = Pkcs11Provider(module, "hrss", "1234")
    assert provider.held() == []
    for purpose in ONLINE:
        provider.generate(purpose, profiles.I)

    ring = KeyRing(provider, profiles.I, OTHERS)  # signs and verifies with each
    token = Token(b"r" * 8, 1_790_000_000, 60, b"n" * 8, 1)
    text = tokens.mint(token, ring)

    assert tokens.read(text, ring) == token
    again = KeyRing(Pkcs11Provider(module, "hrss", "1234"), profiles.I, OTHERS)
    assert {(one.purpose, one.label) for one in again.keys} == {(one.purpose, one.label) for one in ring.keys}
    assert tokens.read(text, again) == token
    assert len({one.label for one in ring.keys}) == len(ONLINE)


def test_what_is_not_there_is_said(module: str) -> None:
    provider = Pkcs11Provider(module, "hrss", "1234")

    with pytest.raises(KeysWrong):
        provider.sign("00" * 32, b"data")
    with pytest.raises(KeysWrong):
        provider.generate(Purpose.TOKEN, profiles.G)
    for token, pin, path in (("nothing", "1234", module), ("hrss", "1234", "/nowhere.so")):
        with pytest.raises(KeysWrong):
            Pkcs11Provider(path, token, pin)


def test_a_lost_session_is_opened_anew_and_a_module_that_is_gone_is_away(module: str, tmp_path: Path) -> None:
    """Sessions closed by somebody else, a module that was shut down, one without its token; then it is back."""
    provider = Pkcs11Provider(module, "hrss", "1234")
    key = provider.generate(Purpose.TOKEN, profiles.I)
    ring = KeyRing(provider, profiles.I, OTHERS)
    library = ctypes.CDLL(module)

    def signs() -> bool:
        return key.public.verifies(ring.sign(ring.active(Purpose.TOKEN), b"data"), b"data")

    ring.learn(SigningKey(one.purpose, one.label, one.public, KeyState.ACTIVE) for one in [key])
    slot = provider.slot
    assert library.C_CloseAllSessions(slot) == 0
    assert signs()
    assert library.C_Finalize(None) == 0
    assert signs()

    tokens_dir = Path(os.environ["SOFTHSM2_CONF"]).parent / "tokens"
    tokens_dir.rename(tmp_path / "away")
    tokens_dir.mkdir()
    assert library.C_Finalize(None) == 0
    with pytest.raises(Unavailable) as away:
        signs()
    assert away.value.reason == "SIGNING_UNAVAILABLE"
    tokens_dir.rmdir()
    (tmp_path / "away").rename(tokens_dir)
    assert library.C_Finalize(None) == 0
    assert signs()


async def test_the_whole_service_works_with_keys_in_a_module(
    module: str, new_database: NewDatabase, keys: KeyRing
) -> None:
    """Cards, codes both ways, lists and a rotation; nothing that signs lies in the key file of this service."""
    database = await new_database("card")
    chosen = {
        "card_key_provider": "pkcs11",
        "card_pkcs11_module": module,
        "card_pkcs11_token": "hrss",
        "card_pkcs11_pin": "1234",
    }
    provider = Pkcs11Provider(module, "hrss", "1234")
    for purpose in {*ONLINE} - {one.purpose for one in provider.held()}:
        provider.generate(purpose, profiles.I)
    service = build(CardSettings.model_construct(**dict(database.settings) | chosen))
    office = service.servicers[0].office  # type: ignore[attr-defined] # of its first edge
    async with serve(service, database=database) as running:
        desk = Codes(database, running, office.keys, office)
        await desk.run(lambda tx: key_operations.register(tx, office.keys))
        person = await desk.person()
        card_id = await desk.active(person)
        phone = await desk.bind(person, card_id)
        before = await desk.mint(person, card_id)
        await desk.published()
        asked = keys_pb.GenerateKeyRequest(request_id=a_key(), purpose="token")
        made = (await desk.call("GenerateKey", asked, an_operator("op-1"))).key.key_id
        for state in ("published", "active"):
            change = keys_pb.ChangeKeyRequest(request_id=a_key(), key_id=made, state=state)
            await desk.call("ChangeKey", change, an_operator("op-2"))
            await desk.run(
                lambda tx: tx.execute("UPDATE signing_key SET state_since = state_since - interval '8 days'")
            )
        after = await desk.mint(person, card_id)

        assert [told(await desk.verify(code)) for code in (before, after, phone.shows())] == [("OK", "OK")] * 3
        assert (await desk.list_says(phone)) is Status.VALID
        assert made in {one.label for one in office.keys.provider.held()}
        assert made not in {one.label for one in keys.provider.held()}
