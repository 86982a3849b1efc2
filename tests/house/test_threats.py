"""Every threat of the model of the electronic card has a test that carries its number."""

from __future__ import annotations

import re

from ops.home import ROOT

THREATS = range(1, 15)


def test_each_of_the_fourteen_threats_has_a_test_of_its_name() -> None:
    texts = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    found = {int(number) for text in texts for number in re.findall(r"def test_threat_(\d\d)_\w+", text)}

    assert found == set(THREATS)
