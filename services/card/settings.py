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

    def problems(self) -> list[tuple[str, str, str]]:
        """Refuse keys in files where real cards are shown, unless somebody decided so."""
        found = super().problems()
        if self.is_prod and self.allow_soft_keys != "yes":
            zh, en = "生产环境的签名密钥不得存放于文件；确需使用须设为 yes", "in production keys in files need a yes"
            found.append(("HRSS_ALLOW_SOFT_KEYS", zh, en))
        return found
