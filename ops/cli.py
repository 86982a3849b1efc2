"""The operator's command line: `hrss`. Each command is a few lines here; the work is done where it belongs.

Commands import what they need when they run, so that `hrss --help` and `hrss status` answer at once.
"""

# ruff: noqa: PLC0415 - see the docstring
from __future__ import annotations

import os
import sys
from pathlib import Path
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
policy = typer.Typer(help="法规参数 / the law as data.", no_args_is_help=True)
app.add_typer(policy, name="policy")
benefits = typer.Typer(help="待遇 / benefits.", no_args_is_help=True)
app.add_typer(benefits, name="benefits")
audit = typer.Typer(help="审计 / the audit.", no_args_is_help=True)
app.add_typer(audit, name="audit")
card = typer.Typer(help="电子社保卡 / electronic cards.", no_args_is_help=True)
app.add_typer(card, name="card")
console = Console()
Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON.")]


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] in (["jobs"], ["events"]) or sys.argv[1:] in ([], ["-h"], ["--help"]):
        from ops import operator_cli

        app.add_typer(operator_cli.jobs, name="jobs")
        app.add_typer(operator_cli.events, name="events")
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


@app.command()
def status(
    *,
    settled: Annotated[
        bool, typer.Option("--settled", help="仅当一切已送达时返回 0 / exit 0 only when everything has arrived.")
    ] = False,
    wait: Annotated[float, typer.Option(help="最多等待的秒数 / seconds to wait for it.", min=0)] = 0.0,
    as_json: Json = False,
) -> None:
    """进程、发件箱、消费者 / processes, outboxes, consumers."""
    from ops import report

    raise typer.Exit(report.status(Home.of(os.environ), console, settled=settled, wait=wait, as_json=as_json))


@app.command()
def logs(
    process: Annotated[str, typer.Argument(help="gateway, enrollment, benefits, postgres, …")],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="持续输出 / keep printing.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="行数 / number of lines.")] = 50,
) -> None:
    """显示一个进程的日志 / show the log of a process."""
    path = Home.of(os.environ).log(process)
    if process != path.stem or not path.exists():
        known = ", ".join(sorted(one.stem for one in path.parent.glob("*.log")))
        raise _refusal(f"没有这个日志；现有 / no such log; there are: {known}")
    os.execvp("tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)])  # noqa: S606, S607 - tail is found by PATH, and nothing here comes from outside


@app.command()
def timetable(*, as_json: Json = False) -> None:
    """定时任务：下次、最近一次、结果 / recurring work: next start, last start, result."""
    from ops import timetable as command

    raise typer.Exit(command.main(Home.of(os.environ), os.environ, console, as_json=as_json))


@app.command()
def demo(
    *, run: Annotated[str, typer.Option(help="演示名称，同名续演 / name of the run; the same name goes on.")] = ""
) -> None:
    """播放“一生社保” / play one working life through the public API; fails if a fen differs."""
    from ops.demo.main import main as play

    raise typer.Exit(play(Home.of(os.environ), os.environ, run=run))


@app.command()
def seed(
    *,
    persons: Annotated[int, typer.Option(help="人数 / number of persons.")],
    number: Annotated[int, typer.Option("--seed", help="种子，同一种子同一座城 / the same seed is the same city.")] = 1,
    facts: Annotated[
        bool, typer.Option("--facts", help="通知其他业务 / tell the other services of everybody.")
    ] = False,
    history_years: Annotated[int, typer.Option(min=0, max=40, help="迁入的缴费年数 / years of months brought in.")] = 0,
    history_every: Annotated[int, typer.Option(min=1, help="每几人中一人有 / only one person of so many.")] = 1,
) -> None:
    """生成一座城供试用 / make a plausible city in the register; never in production."""
    from chassis import clocks
    from kernel.calendar import Month
    from ops import servers
    from ops.seed import main as command
    from ops.seed.people import Plan

    home = Home.of(os.environ)
    keys = os.environ.get("HRSS_KEYS_DIR")
    try:
        url = servers.databases(home, os.environ).app_urls["enrollment"]
        settings = command.settings_of(url, Path(keys) if keys else home.keys, env=os.environ.get("HRSS_ENV", ""))
        plan = Plan(number, persons, Month.of(clocks.business_day()), history_years, history_every)
        command.seed(plan, settings, console, with_facts=facts)
    except (servers.ServerUnknown, command.SeedRefused) as error:
        raise _refusal(str(error)) from None


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="pension pensions adjustment payroll city codes hop enrol …; 空为全部 / all."),
    ] = None,
    *,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="轮数 / rounds.")] = 5,
    share: Annotated[float, typer.Option(min=0.001, max=10, help="每轮工作量 / part of the usual work.")] = 1.0,
    persons: Annotated[int, typer.Option(min=0, help="发放人数，0 为通常 / persons of a payroll.")] = 0,
    size: Annotated[int, typer.Option(min=0, help="制卡张数，0 为通常 / cards of a batch.")] = 0,
    out: Annotated[Path | None, typer.Option(help="结果目录 / directory of the tables.")] = None,
) -> None:
    """性能对比 / benchmarks beside a peer or limit in the same run, on a platform of their own."""
    from ops.bench import main as runner

    unknown = sorted(set(names or ()) - runner.BENCHMARKS.keys())
    if unknown:
        raise _refusal(f"没有 / no such benchmark: {', '.join(unknown)}; {', '.join(runner.BENCHMARKS)}")
    options = runner.Options(rounds=rounds, share=share, persons=persons, size=size)
    folder = out or Home.of(os.environ).root / "bench"
    raise typer.Exit(runner.main(names or (), options, folder, console))


@app.command()
def reconcile(
    service: Annotated[str, typer.Argument(help="enrollment | benefits")] = "enrollment", *, as_json: Json = False
) -> None:
    """总对账：证明账目相符，否则指出第一处差异 / prove the books, or name the first difference (exit code 1)."""
    from ops import reconcile as command

    raise typer.Exit(command.main(Home.of(os.environ), os.environ, service, console, as_json=as_json))


@benefits.command("recompute")
def recompute_benefit(
    benefit_id: Annotated[str, typer.Argument(help="待遇编号 / id, ben_….")], *, as_json: Json = False
) -> None:
    """重新验算一项待遇，指出第一处差异 / compute a benefit again, name the first difference (exit code 1)."""
    from ops import recompute as command

    raise typer.Exit(command.main(Home.of(os.environ), os.environ, benefit_id, console, as_json=as_json))


@audit.command("verify")
def verify_audit(
    service: Annotated[str, typer.Argument(help="服务，空为全部 / a service, all by default.")] = "",
    *,
    against: Annotated[
        Path | None, typer.Option(help="检查点的外部副本：文件或目录 / a copy of the checkpoints: file or directory.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="与消息流 hrss-audit 比对 / compare with the stream hrss-audit.")
    ] = False,
    as_json: Json = False,
) -> None:
    """验证审计链，指出第一条被改动的记录 / verify the chain of the audit, name the first bad row (exit code 1)."""
    from ops import audit as command

    asked = command.Asked(service, against, with_stream=stream, as_json=as_json)
    raise typer.Exit(command.main(Home.of(os.environ), os.environ, asked, console))


@card.command("issue-batch")
def issue_batch(
    file: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="名单 CSV：姓名,公民身份号码 / a list."),
    ] = None,
    *,
    from_register: Annotated[
        bool, typer.Option("--from-register", help="登记库中可制卡而无卡的人 / everybody known who has none.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="等待复核并显示进度 / wait for it and follow.")] = False,
    token: Annotated[
        Path | None, typer.Option("--token-file", exists=True, help="经办人的访问令牌 / access token of a clerk.")
    ] = None,
    gateway: Annotated[str, typer.Option(help="网关地址 / URL of the gateway.")] = "",
    as_json: Json = False,
) -> None:
    """准备一批电子社保卡并显示进度；由另一人复核 / prepare cards by the batch; another person approves."""
    from ops import card_batches as command

    if (file is not None) == from_register:
        raise _refusal("请给出名单文件或 --from-register，二者选一 / a file or --from-register, one of the two")
    state = Home.of(os.environ).state()
    if state is None and not (gateway and token):
        raise _refusal("平台未运行；请给出 --gateway 和 --token-file / nothing runs here; name both")
    place = command.Place(
        gateway or str((state or {})["gateway_url"]),
        issuer=str((state or {}).get("issuer", "")),
        persona="staff-clerk-1",
        token=token.read_text().strip() if token else "",
    )
    raise typer.Exit(command.main(place, file, console, wait=wait, as_json=as_json))


@policy.command("check")
def check_policy(
    file: Annotated[Path, typer.Argument(help="示例文件 / file of worked examples.")], *, as_json: Json = False
) -> None:
    """用生产代码核对示例 / run worked examples through the production code."""
    from ops.policy_check import check

    raise typer.Exit(check(file, as_json))


def _refusal(text: str) -> typer.Exit:
    Console(stderr=True).print(f"[red]✗[/] {text}", highlight=False, soft_wrap=True)
    return typer.Exit(1)


if __name__ == "__main__":
    main()
