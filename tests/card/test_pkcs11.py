"""Keys in a PKCS#11 module: SoftHSM2 where it is installed (Debian: softhsm2), skipped visibly where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.card import tokens
from services.card.crypto import profile as profiles
from services.card.keyring import KeyRing, KeysWrong, Purpose
from services.card.pkcs11 import Pkcs11Provider
from services.card.providers import ONLINE
from services.card.tokens import Token
from tests.card.rings import OTHERS

if TYPE_CHECKING:
    from collections.abc import Iterator

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
