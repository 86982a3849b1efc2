"""What `hrss up` shows: progress while it starts, one panel when it runs, one line when something happens later."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ops.supervisor import Happening, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.home import Home
    from ops.platform import Platform

_WORDS = {
    State.PENDING: ("等待", "waiting", "dim"),
    State.STARTING: ("启动中", "starting", "yellow"),
    State.READY: ("就绪", "ready", "green"),
    State.DIED: ("意外退出", "died", "red"),
    State.STOPPED: ("已停止", "stopped", "dim"),
}
_TITLES = {
    "postgres": "数据库 / PostgreSQL",
    "nats": "消息 / NATS JetStream",
    "migrate": "密钥、表结构、消息流 / keys, schemas, streams",
    "idp": "仿真身份 / development identity provider",
    "traces": "本机链路 / local traces",
    "enrollment": "参保服务 / enrolment",
    "benefits": "待遇服务 / benefits",
    "training": "培训补贴服务 / training subsidies",
    "card": "电子社保卡服务 / electronic cards",
    "gateway": "网关 / gateway",
    "simulators": "税务、银行仿真 / simulated tax bureau and bank",
}


class Display:
    """Tells people what the supervisor does: a live table on a terminal, plain lines elsewhere."""

    def __init__(self, names: Sequence[str], console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._states = dict.fromkeys(names, State.PENDING)
        self._seconds: dict[str, float] = {}
        self._live: Live | None = None

    def begin(self) -> None:
        """Show that it starts."""
        if self._console.is_terminal:
            # Without a thread of its own: children are started from a process that has only one.
            self._live = Live(console=self._console, get_renderable=self._progress, auto_refresh=False, transient=True)
            self._live.start(refresh=True)

    def refresh(self) -> None:
        """Draw the progress once more."""
        if self._live:
            self._live.refresh()

    def tell(self, happening: Happening) -> None:
        """Show one change."""
        self._states[happening.name] = happening.state
        if happening.state is State.READY:
            self._seconds[happening.name] = happening.seconds
        if happening.state is State.DIED:
            self._console.print(
                f"[red]✗[/] {happening.name} 意外退出（{happening.exit_code}），{happening.pause:.1f} 秒后重启 / "
                f"ended with {happening.exit_code}, starting again in {happening.pause:.1f} s",
                highlight=False,
            )
        elif happening.state is State.READY and (happening.is_restart or not self._live):
            word = "已恢复 / is back" if happening.is_restart else "就绪 / ready"
            self._console.print(f"[green]✓[/] {happening.name} {word} ({happening.seconds:.1f} s)", highlight=False)

    def end(self) -> None:
        """Take the progress away."""
        if self._live:
            self._live.stop()
            self._live = None

    def running(self, platform: Platform, home: Home) -> None:
        """Show where to look."""
        self.end()
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for title, text in _where(platform, home):
            table.add_row(title, text)
        seconds = time.monotonic() - self._started
        title = f"[bold green]人社一网通办已启动 / the platform is up[/] ({seconds:.1f} s)"
        self._console.print(Panel(table, title=title, title_align="left", border_style="green", expand=False))

    def stopped(self, killed: Sequence[str], seconds: float) -> None:
        """Show how it ended."""
        self.end()
        late = f"；强制结束 {', '.join(killed)} / killed: {', '.join(killed)}" if killed else ""
        self._console.print(f"已停止 / stopped ({seconds:.1f} s){late}", highlight=False)

    def _progress(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for name, state in self._states.items():
            zh, en, style = _WORDS[state]
            mark: Spinner | Text = Text("✓" if state is State.READY else "·", style=style)
            if state is State.STARTING:
                mark = Spinner("dots", style=style)
            seconds = f"{self._seconds[name]:.1f} s" if name in self._seconds else ""
            table.add_row(mark, _TITLES.get(name, name), Text(f"{zh} / {en}", style=style), Text(seconds, style="dim"))
        elapsed = f"{time.monotonic() - self._started:.1f} s"
        return Group(Text(f"正在启动 / starting  {elapsed}", style="bold"), table)


def _where(platform: Platform, home: Home) -> list[tuple[str, str]]:
    hrss = "hrss" if shutil.which("hrss") else ".venv/bin/hrss"
    rows = [
        ("门户 / portal", f"{platform.gateway_url}/"),
        ("接口 / API", f"{platform.gateway_url}/docs   {platform.gateway_url}/openapi.json"),
        ("身份 / identity", f"{platform.issuer}  （仿真，仅供开发 / simulated, development only）"),
    ]
    if platform.traces_url:
        rows.append(("链路 / traces", f"{platform.traces_url}/  （本机 / local）"))
    rows += [
        ("日志 / logs", f"{home.root / 'logs'}   {hrss} logs gateway"),
        ("演示 / demo", f"{hrss} demo（另开终端 / in another terminal）"),
        ("状态 / status", f"{hrss} status --settled"),
        ("停止 / stop", f"Ctrl-C 或 / or {hrss} down"),
    ]
    rows += [
        ("假定参数 / assumed", f"{note}  （演示用参数值 / values assumed for the demo）") for note in platform.notes
    ]
    return rows
