"""The verifier kit by itself: in an empty environment, against its vectors, and against what the service takes."""

from __future__ import annotations

import ast
import base64
import json
import random
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

import cbor2
import pytest

from services.card import cose
from services.card.crypto import selftest
from tools.verifier_kit.hrss_verifier import GROUPS, Refused, Verifier, coding, curves
from tools.verifier_vectors import NOW

KIT = Path(__file__).resolve().parents[2] / "tools" / "verifier_kit"
FUZZ = 600
HOSTILE = [
    *("", "0102", "1801", "190018", "5801ff", "9fff", "5f4101ff", "bfff", "a201020103", "a203010102", "c001", "f90000"),
    *("f4", "f6", "8181818101", "9affffffff", "9bffffffffffffffff", "5affffffff", "bb7fffffffffffffff", "61ff", "1c"),
    *("82", "19ff", "a1a0"),
]


def test_the_kit_runs_in_an_empty_environment(tmp_path: Path) -> None:
    """Without pip, without any package, without our path: only the folder that was lifted out."""
    shutil.copytree(KIT, tmp_path / "kit", ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), "-s", "-E", *words], cwd=tmp_path / "kit", capture_output=True, text=True, check=False
        )

    packages = run("-c", "import importlib.metadata as m; print(len(list(m.distributions())))")
    assert packages.stdout.strip() == "0"
    done = run("-m", "hrss_verifier", "vectors.json")
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr

    # A vector that says otherwise is noticed.
    content = json.loads((tmp_path / "kit" / "vectors.json").read_text())
    content[0]["steps"][-1]["expect"] = "ok"
    (tmp_path / "kit" / "wrong.json").write_text(json.dumps(content))
    done = run("-m", "hrss_verifier", "wrong.json")
    assert (done.returncode, done.stdout) == (1, "FAILED\n")


def test_the_kit_imports_the_standard_library_and_itself() -> None:
    for path in KIT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                assert name.split(".")[0] in sys.stdlib_module_names, (path.name, name)
                assert name.split(".")[0] not in {"socket", "http", "urllib", "ssl", "asyncio"}


def test_every_code_that_can_come_has_a_vector_and_a_group() -> None:
    vectors = json.loads((KIT / "vectors.json").read_text())

    assert [one["profile"] for one in vectors] == ["I", "G"]
    for one in vectors:
        seen = {step["expect"] for step in one["steps"] if step["what"] == "verify"}
        # Later versions and broken issuer signatures are made below.
        assert GROUPS.keys() - seen == {"unsupported_version", "bad_issuer_signature"}


def test_the_kit_has_the_curves_of_the_standards() -> None:
    signature, point = bytes.fromhex(selftest.R + selftest.S), bytes.fromhex("03" + selftest.X)

    assert curves.verifies(curves.NAMES["SM2"], point, signature, selftest.MESSAGE)
    assert not curves.verifies(curves.NAMES["SM2"], point, signature, b"message digesT")
    assert curves.plain_sm3(b"abc").hex() == selftest.SM3_ABC
    for length in (0, 55, 56, 63, 64, 65, 200):
        assert curves.plain_sm3(bytes(length)) == curves.sm3(bytes(length))
    # RFC 6979, A.2.5: P-256 with SHA-256 over "sample".
    key = bytes.fromhex("0360FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6")
    signed = bytes.fromhex(
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )
    assert curves.verifies(curves.NAMES["ES256"], key, signed, b"sample")
    assert not curves.verifies(curves.NAMES["ES256"], key, signed, b"sampl")
    for bad in (bytes(64), signed[:-1], b"\xff" * 64, signed[:32] + bytes(32)):
        assert not curves.verifies(curves.NAMES["ES256"], key, bad, b"sample")


@pytest.mark.parametrize("encoded", HOSTILE)
def test_the_kit_reads_what_the_service_reads_and_nothing_else(encoded: str) -> None:
    data = bytes.fromhex(encoded)

    with pytest.raises(coding.Malformed):
        coding.read(data)
    if encoded != "a1a0":
        with pytest.raises(cose.Malformed):
            cose.read(data)


def test_two_readers_agree_on_random_values_and_bytes() -> None:
    draw = random.Random(45)

    def value(depth: int) -> object:
        match draw.randrange(6 if depth else 4):
            case 0:
                return draw.randrange(2 ** draw.randrange(1, 64))
            case 1:
                return -draw.randrange(1, 2 ** draw.randrange(1, 64))
            case 2:
                return draw.randbytes(draw.randrange(40))
            case 3:
                return "".join(draw.choices("ab赵*", k=draw.randrange(9)))
            case 4:
                return [value(depth - 1) for _ in range(draw.randrange(4))]
            case _:
                return {draw.randrange(99): value(depth - 1) for _ in range(draw.randrange(4))}

    for _ in range(1_000):
        made = value(3)
        data = coding.write(made)
        assert data == cose.write(made) == cbor2.dumps(made, canonical=True)
        assert coding.read(data) == cose.read(data) == made
        spoiled = bytearray(data)
        spoiled[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        outcomes = []
        for read, malformed in ((coding.read, coding.Malformed), (cose.read, cose.Malformed)):
            try:
                outcomes.append(read(bytes(spoiled)))
            except malformed:
                outcomes.append(None)
        assert outcomes[0] == outcomes[1], bytes(spoiled).hex()
        text = cose.base45_write(data)
        assert coding.base45(text) == data


def test_threat_12_hostile_texts_are_refused_quickly() -> None:
    verifier, steps = loaded()
    good = next(step["text"] for step in steps if step["expect"] == "ok" and step["what"] == "verify")
    raw = cose.base45_read(good.removeprefix("NTD1:"))
    draw = random.Random(7)
    codes, slow = set(), 0
    for turn in range(FUZZ):
        spoiled = bytearray(raw)
        for _ in range(draw.randint(1, 4)):
            spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
        text = ("NTD1:", "NTS1:")[turn % 2] + cose.base45_write(
            bytes(spoiled) if turn % 3 else draw.randbytes(draw.randrange(300))
        )
        if text == good:
            continue
        began = time.thread_time()
        result = verifier.verify(text, NOW)
        slow += time.thread_time() - began > 0.05
        codes.add(result.code)
    assert "ok" not in codes
    assert {"malformed", "bad_issuer_signature", "bad_device_signature", "unknown_key"} <= codes
    assert slow < FUZZ / 50


def loaded(*skip: str) -> tuple[Verifier, list[dict[str, str]]]:
    """A verifier that took over what the vectors of profile I load, up to the first codes; and the steps."""
    vector = json.loads((KIT / "vectors.json").read_text())[0]
    verifier = Verifier([("ES256", bytes.fromhex(vector["root"]["point"]))])
    steps: list[dict[str, str]] = vector["steps"]
    for what, load in (("trust", verifier.load_trust_list), ("status", verifier.load_status_list)):
        if what not in skip:
            first = next(step for step in steps if step["what"] == what and step["expect"] == "ok")
            load(base64.b64decode(first["data"]), NOW)
    return verifier, steps


def test_threat_07_a_stale_or_rolled_back_list_never_becomes_ok() -> None:
    """Without a list, after 25 hours, and with an older one offered after a newer, nothing is accepted by mistake."""
    verifier, steps = loaded()
    without, _ = loaded("status")
    good = [step["text"] for step in steps if step["what"] == "verify" and step["expect"] == "ok"]
    late = next(step for step in steps if step["expect"] == "status_unknown" and int(step["now"]) > NOW + 86_400)
    older = next(step for step in steps if step["what"] == "status" and step["expect"] == "replayed")

    assert without.verify(good[0], NOW).code == "status_unknown"
    assert verifier.verify(late["text"], int(late["now"])).code == "status_unknown"
    with pytest.raises(Refused) as caught:
        verifier.load_status_list(base64.b64decode(older["data"]), NOW)
    assert caught.value.code == "replayed"
    assert verifier.verify(good[0], NOW).code == "ok"
    assert GROUPS["status_unknown"] == GROUPS["list_expired"] == GROUPS["unknown_key"] == "cannot_check"


def test_threat_06_a_withdrawn_key_is_refused_with_the_next_trust_list_and_no_older_one_comes_back() -> None:
    verifier, steps = loaded()
    trusts = [base64.b64decode(step["data"]) for step in steps if step["what"] == "trust" and step["expect"] == "ok"]
    lower = next(step for step in steps if step["what"] == "trust" and step["expect"] == "replayed")
    refused = next(step for step in steps if step["expect"] == "key_withdrawn")

    assert verifier.verify(refused["text"], NOW).code == "ok"
    assert verifier.load_trust_list(trusts[1], NOW) == 6
    assert verifier.verify(refused["text"], NOW).code == "key_withdrawn"
    for older in (trusts[0], base64.b64decode(lower["data"])):
        with pytest.raises(Refused) as caught:
            verifier.load_trust_list(older, NOW)
        assert caught.value.code == "replayed"
    assert verifier.sequence == 6
