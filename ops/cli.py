"""The operator's command line: `hrss`. Each command is a few lines here; the work is done where it belongs.

Commands import what they need when they run, so that `hrss --help` and `hrss status` answer at once.
"""

# ruff: noqa: PLC0415 - see the docstring
from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from ops.home import Home

app = typer.Typer(
    help="人社一网通办 / the social-security platform of a city.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console()
Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON.")]


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def up(
    *,
    port: Annotated[
        int | None, typer.Option(help="网关端口，0 为任意空闲端口 / gateway port, 0 takes a free one.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="在后台运行 / run in the background.")] = False,
    offer_demo: Annotated[bool, typer.Option(help="就绪后询问是否演示 / offer the demo.")] = False,
) -> None:
    """启动整个平台 / start the whole platform and keep it running until Ctrl-C."""
    from ops import up as command

    environ = {**os.environ, **({} if port is None else {"HRSS_HTTP_PORT": str(port)})}
    home = Home.of(environ)
    if detach:
        raise typer.Exit(command.up_detached(home, environ, console))
    offer = command.DemoOffer(console) if offer_demo and sys.stdin.isatty() and console.is_terminal else None
    raise typer.Exit(command.up(home, environ, console, offer=offer))


@app.command()
def down() -> None:
    """停止平台 / stop the platform."""
    from ops import up as command

    raise typer.Exit(command.down(Home.of(os.environ), console))


@app.command()
def migrate() -> None:
    """建立或升级密钥、表结构、消息流 / make or upgrade keys, schemas and streams."""
    from ops import migrate as command
    from ops import servers

    home = Home.of(os.environ)
    try:
        environ = servers.as_environment(servers.databases(home, os.environ), servers.broker(home, os.environ))
    except servers.ServerUnknown as error:
        raise _refusal(str(error)) from None
    keys = os.environ.get("HRSS_KEYS_DIR") or str(home.keys)
    raise typer.Exit(command.main({**os.environ, **environ, "HRSS_KEYS_DIR": keys}))


def _refusal(text: str) -> typer.Exit:
    Console(stderr=True).print(f"[red]✗[/] {text}", highlight=False, soft_wrap=True)
    return typer.Exit(1)


def _print(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main()
