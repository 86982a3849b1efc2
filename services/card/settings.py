"""Settings of the card service, beside those of every service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chassis.config import Settings


class CardSettings(Settings):
    """What the card service needs to know about its surroundings."""

    allow_soft_keys: Literal["yes", "no"] = Field(
        default="no", description="yes lets production sign codes with keys that lie in a file."
    )
    card_key_provider: Literal["file", "pkcs11"] = Field(default="file", description="Where signing keys lie.")
    card_pkcs11_module: str = Field(default="", description="Path of the PKCS#11 module.")
    card_pkcs11_token: str = Field(default="hrss", description="Label of its token.")
    card_pkcs11_pin: str = Field(default="", repr=False, description="PIN of its user.")
    card_trust_root: str = Field(
        default="", description="Public key of the root of trust: ES256: or SM2: and its compressed point in hex."
    )
    card_issuer: Literal["local", "national"] = Field(
        default="local", description="Who issues cards: this office, or the national platform."
    )
    card_national_url: str = Field(default="", description="Where the national platform takes orders.")
    card_messages_url: str = Field(
        default="",
        description="Where the messages platform takes what holders are told; empty: it stands at the card.",
    )
    card_status_uri: str = Field(
        default="https://hrss.example.invalid/v1/card-status-lists",
        description="Where verifiers find status lists; each names itself by it.",
    )

    def problems(self) -> list[tuple[str, str, str]]:
        """Refuse keys in files where real cards are shown, unless somebody decided so."""
        found = super().problems()
        if self.is_prod and self.card_key_provider == "file" and self.allow_soft_keys != "yes":
            zh, en = "生产环境的签名密钥不得存放于文件；确需使用须设为 yes", "in production keys in files need a yes"
            found.append(("HRSS_ALLOW_SOFT_KEYS", zh, en))
        if self.card_key_provider == "pkcs11" and not self.card_pkcs11_module:
            found.append(("HRSS_CARD_PKCS11_MODULE", "使用 PKCS#11 时必须设置", "needed with PKCS#11"))
        if self.card_issuer == "national" and not self.card_national_url:
            found.append(("HRSS_CARD_NATIONAL_URL", "由全国平台签发时必须设置", "needed when the nation issues"))
        return found
