"""The clients that the development identity provider knows, and what each may ask for."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ops.secrets import Keys


@dataclass(frozen=True, slots=True)
class Client:
    """A system that may ask for tokens.

    Attributes:
        scopes: What a partner may do at the gateway; these are the scopes of the access options in `proto/`.
        reads_identity: May exchange a person's token for the real-name identity.
        registers_personas: May add citizens.
    """

    id: str
    title: str
    scopes: frozenset[str] = frozenset()
    public: bool = False
    reads_identity: bool = False
    registers_personas: bool = False


CLIENTS: Mapping[str, Client] = {
    client.id: client
    for client in (
        Client("hrss-portal", "网上办事大厅 / portal", public=True),
        Client("hrss-gateway", "网关 / gateway", reads_identity=True, registers_personas=True),
        Client("hrss-demo", "演示 / demo", registers_personas=True),
        Client(
            "front-office",
            "综合窗口系统 / front-office system",
            frozenset(
                {
                    "enrollment.read",
                    "enrollment.write",
                    "persons.search",
                    "bills.read",
                    "bills.write",
                    "accounts.write",
                    "history.import",
                    "insurance.certify",
                    "benefits.read",
                    "cases.read",
                    "cases.write",
                }
            ),
        ),
        Client(
            "app-backend",
            "手机应用后台 / app back end",
            frozenset({"enrollment.read", "benefits.read", "cases.read", "cases.write"}),
        ),
        Client(
            "tax-bureau", "税务征收系统（仿真） / tax bureau (simulated)", frozenset({"bills.read", "receipts.write"})
        ),
        Client(
            "skill-body", "技能评价机构（仿真） / skill assessment body (simulated)", frozenset({"certificates.write"})
        ),
        Client(
            "other-area", "外地经办机构（仿真） / office of another area (simulated)", frozenset({"transfers.write"})
        ),
        Client("bank", "代发银行（仿真） / paying bank (simulated)", frozenset({"payments.write"})),
        Client("messages", "短信平台（仿真） / messages (simulated)", frozenset({"reminders.send"})),
        Client(
            "faces",
            "人脸识别认证（仿真） / face check (simulated)",
            frozenset({"certifications.write", "cards.prove"}),
        ),
        Client("hotline", "12333 热线（仿真） / hotline 12333 (simulated)", frozenset({"cards.hotline"})),
        Client("pin-pads", "窗口密码键盘（仿真） / PIN pads (simulated)", frozenset({"cards.pin-pad"})),
        Client("card-centre", "制卡系统（仿真） / card centre (simulated)", frozenset({"cards.feed"})),
        Client("hospital", "医院验码终端（仿真） / hospital (simulated)", frozenset({"cards.verify"})),
        Client(
            "pharmacy",
            "药店收银（仿真） / pharmacy (simulated)",
            frozenset({"cards.verify", "cards.verify.payment"}),
        ),
        Client("test-driver", "测试时钟 / test clock", frozenset({"test.clock"})),
    )
}


class Secrets:
    """The secrets of the confidential clients: one private file each, which the client itself reads."""

    def __init__(self, keys: Keys) -> None:
        self._secrets = {id_: client_secret(keys, id_) for id_, client in CLIENTS.items() if not client.public}

    def knows(self, client_id: str, secret: str) -> bool:
        """Whether this is the client's secret; takes the same time for an unknown client."""
        expected = self._secrets.get(client_id, "")
        same = hmac.compare_digest(expected.encode(), secret.encode(errors="replace"))
        return same and bool(expected)


def client_secret(keys: Keys, client_id: str) -> str:
    """The secret of a client; what a client of this provider calls to authenticate."""
    return keys.password(f"idp-client-{client_id}")
