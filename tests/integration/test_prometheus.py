"""Dashboards and alert rules against the running system: gateway, worker, API of ``gongche up`` with traffic.

A real Prometheus (that of the PATH, or Debian's by ``tools/prometheus``) scrapes the processes, answers every query of
the dashboards and evaluates every alert rule. Where none can be had only the names of metrics are compared with what the
processes show. ``node_*`` come from ``prometheus-node-exporter``, used when there.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tools.prometheus.fetch import PrometheusToolError, programs

from gongche.exchange809 import metrics as exchange809
from office.exchange import sender
from tests.integration.terminal_client import Terminal, position
from tests.integration.test_up import Up
from tests.ports import free_port
from tests.waiting import PATIENCE_S, wait_until

EXCHANGE = [
    family
    for metric in (
        sender.RECORDS,
        sender.REQUESTS,
        sender.WAITING,
        sender.OLDEST,
        sender.REFUSED,
        sender.FAULTS,
        exchange809.UP,
        exchange809.UNCONFIRMED,
    )
    for family in metric.collect()
]
ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
CASES = [PROMETHEUS / name for name in ("alerts_test.yml", "alerts_days_test.yml")]
RUNBOOK = ROOT / "docs" / "operations.md"

#: Every metric that deploy/ may use has one of these beginnings; ``up`` is Prometheus' own.
METRIC = re.compile(r"\b(?:gongche|process|node)_[a-z0-9_]+\b|\bup\b(?=\{)")
EXPORTED_ELSEWHERE = ("node_", "up")
#: Metrics of the dashboards that rightly have no samples here: they have labels, and it never happens.
NEVER_HERE = {
    "gongche_api_positions_total": "the demo fleet sends nothing by HTTP",
    "gongche_worker_recomputed_vehicles_total": "nothing of it comes late",
    "gongche_gateway_odd_items_total": "the demo fleet sends no odd item",
}
BROKEN_FRAME = bytes.fromhex("7e0200000001380000000100010000ff7e")  # its checksum is wrong


@pytest.fixture(scope="module")
def tools() -> dict[str, str]:
    """Paths of prometheus, promtool and, perhaps, the node exporter; the tests are skipped, and say why, without them."""
    try:
        return programs()
    except PrometheusToolError as error:
        pytest.skip(f"no Prometheus: {error}")


def panels(file: Path) -> list[dict[str, Any]]:
    return [p for p in orjson.loads(file.read_bytes())["panels"] if p["type"] != "row"]


def dashboard_queries() -> list[Any]:
    return [
        pytest.param(target["expr"], target["legendFormat"], id=f"{file.stem}:{panel['id']}{target['refId']}")
        for file in DASHBOARDS
        for panel in panels(file)
        for target in panel["targets"]
    ]


class System:
    """``gongche up --demo`` with traffic of every kind the dashboards show, and its processes' metrics."""

    def __init__(self, up: Up) -> None:
        state = up.ready()
        self.tcp_port = int(str(state["tcp_port"]))
        self.urls: dict[str, str] = dict(state["metrics"])  # type: ignore[call-overload]  # a JSON object
        with socket.create_connection(("127.0.0.1", self.tcp_port)) as terminal:
            terminal.sendall(BROKEN_FRAME)
            wait_until(
                lambda: "gongche_gateway_rejects_total{" in self.text("gateway"), "the frame is refused"
            )
        wait_until(lambda: "gongche_worker_alert_versions_total{" in self.text("worker"), "the demo alerts")

    def text(self, process: str) -> str:
        return httpx.get(self.urls[process]).text

    def metrics(self) -> tuple[set[str], set[str]]:
        """Names that the processes declare (with the histograms' parts), and those that have samples now."""
        # The exchange and the links by JT/T 809 run only where there is another instance; what they show is asked of their modules.
        declared = {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in EXCHANGE}
        sampled: set[str] = set()
        for process in self.urls:
            for line in self.text(process).splitlines():
                if line.startswith("# TYPE "):
                    _, _, name, kind = line.split(" ")
                    parts = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
                    declared |= {name + part for part in parts}
                elif not line.startswith("#"):
                    sampled.add(re.split(r"[{ ]", line, maxsplit=1)[0])
        return declared, sampled


@contextlib.contextmanager
def traffic(port: int) -> Iterator[None]:
    """A terminal that sends its position ten times a second: what is shown of a time without data is no number."""
    end = threading.Event()

    async def drive() -> None:
        terminal = await Terminal.online(port, "13900000999")
        for k in count():
            if end.is_set():
                break
            assert await terminal.ask(0x0200, position(k)) == 0
            await asyncio.sleep(0.1)  # time: a load of ten a second
        await terminal.close()

    with ThreadPoolExecutor(1) as thread:
        driving = thread.submit(asyncio.run, drive())
        try:
            yield
        finally:
            end.set()
            driving.result(PATIENCE_S)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    folder = Path(tempfile.mkdtemp(prefix="gongche-prometheus-"))
    folder.chmod(0o755)
    up = Up(
        folder / "data",
        "--demo",
        "--vehicles",
        "6",
        "--duration",
        "3",
        "--speed",
        "5000",
        GONGCHE_API_METRICS_OPEN="true",
    )
    try:
        yield System(up)
        assert up.finish() == 0, up.output
    finally:
        up.kill()
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A real Prometheus over ``system``, with the configuration of deploy/ (other ports, a faster pace)."""

    def __init__(self, url: str, has_node: bool) -> None:
        self.has_node = has_node
        self._client = httpx.Client(base_url=url)

    def ask(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=parameters)
        body = answer.json()
        assert body["status"] == "success", body
        return body["data"]

    def settled(self) -> bool:
        """Every target has been scraped twice or more, every rule been evaluated."""
        try:
            scrapes = self.ask("query", query="min(count_over_time(up[1m]))")["result"]
            rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        except (httpx.TransportError, ValueError):  # while it starts it answers, but in words
            return False
        return (
            bool(scrapes)
            and float(scrapes[0]["value"][1]) >= 4
            and all(r["health"] != "unknown" for r in rules)
        )


@pytest.fixture(scope="module")
def server(
    tools: dict[str, str], system: System, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    program = tools["prometheus"]
    folder = tmp_path_factory.mktemp("prometheus")
    targets = {process: re.sub(r"^http://|/metrics$", "", url) for process, url in system.urls.items()}
    processes: list[subprocess.Popen[bytes]] = []
    node = tools.get("prometheus-node-exporter")
    if node is not None:
        targets["node"] = f"127.0.0.1:{free_port()}"
        listen = f"--web.listen-address={targets['node']}"
        only = ["--collector.disable-defaults", "--collector.filesystem"]
        processes.append(subprocess.Popen([node, listen, *only], stderr=subprocess.DEVNULL))
    config = (PROMETHEUS / "prometheus.yml").read_text()
    for job in ("gateway", "worker", "judge", "api", "deliver", "node"):
        place = rf"(job_name: {job}\n    static_configs:\n      - targets: )\[.*\]"
        config, changed = re.subn(place, rf'\1["{targets[job]}"]' if job in targets else r"\1[]", config)
        assert changed == 1, job
    config, changed = re.subn(r"(scrape|evaluation)_interval: \d+s", r"\1_interval: 500ms", config)
    assert changed == 2
    (folder / "prometheus.yml").write_text(config)
    shutil.copy(PROMETHEUS / "alerts.yml", folder)
    port = free_port()
    log = (folder / "log").open("wb")
    processes.append(
        subprocess.Popen(
            [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stderr=log,
        )
    )  # fmt: skip
    try:
        made = Server(f"http://127.0.0.1:{port}", node is not None)
        with traffic(system.tcp_port):
            wait_until(made.settled, "Prometheus has scraped everything")
            yield made
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(PATIENCE_S)
        log.close()


@pytest.mark.parametrize("source", [*DASHBOARDS, PROMETHEUS / "alerts.yml", *CASES], ids=str)
def test_every_name_is_a_metric_that_a_process_shows(system: System, source: Path) -> None:
    declared, _ = system.metrics()
    used = {n for n in METRIC.findall(source.read_text()) if not n.startswith(EXPORTED_ELSEWHERE)}
    assert len(used) > (3 if source == CASES[-1] else 8)
    assert used - declared == set()


@pytest.mark.parametrize(("query", "legend"), dashboard_queries())
def test_a_dashboard_query_gives_a_result(server: Server, system: System, query: str, legend: str) -> None:
    assert METRIC.findall(query), "a query of nothing that we know"
    names = set(METRIC.findall(query))
    if any(name.startswith("node_") for name in names) and not server.has_node:
        return
    _, sampled = system.metrics()
    silent = {n for n in names - sampled if not n.startswith(EXPORTED_ELSEWHERE)}
    assert silent <= NEVER_HERE.keys()
    # Over all the time since it began: a quantile of nothing that came in the last seconds is no number.
    now = time.time()
    query = query.replace("$__rate_interval", "10s")
    answer = server.ask("query_range", query=query, start=f"{now - 300}", end=f"{now}", step="1")["result"]
    values = [float(value) for series in answer for _, value in series["values"]]
    if silent:
        assert not values, "it has data: take it off the list NEVER_HERE"
        return
    assert any(map(math.isfinite, values)), f"no number, although every metric has samples: {answer}"
    for series in answer:
        for label in re.findall(r"\{\{(\w+)\}\}", legend):
            assert series["metric"].get(label), f"the legend asks for {label}: {series['metric']}"


def test_all_targets_are_up_and_every_rule_is_evaluated(server: Server) -> None:
    jobs = {s["metric"]["job"]: s["value"][1] for s in server.ask("query", query="up")["result"]}
    assert jobs == {"gateway": "1", "worker": "1", "judge": "1", "api": "1", "deliver": "1"} | (
        {"node": "1"} if server.has_node else {}
    )
    rules = [rule for group in server.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == (PROMETHEUS / "alerts.yml").read_text().count("- alert:")
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    # The system is well, but for the one broken frame; the disk of the machine under test is not ours.
    firing = {r["name"] for r in rules if r["state"] == "firing" and not r["name"].startswith("GongcheDisk")}
    assert firing == set()


def test_promtool_accepts_rules_and_configuration(tools: dict[str, str]) -> None:
    for words in (
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", *(file.name for file in CASES)),
    ):
        done = subprocess.run(
            [tools["promtool"], *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_and_a_page_of_the_runbook() -> None:
    rules, cases = (PROMETHEUS / "alerts.yml").read_text(), "".join(file.read_text() for file in CASES)
    names = re.findall(r"- alert: (\w+)", rules)
    assert {name for name in names if f'alertname="{name}"' not in cases} == set()
    headings = re.findall(r"^#+ (.+)$", RUNBOOK.read_text(), re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"runbook: docs/operations\.md#(\S+)", rules)
    assert len(links) == len(names)
    assert set(links) - anchors == set()


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_is_one_that_grafana_loads(file: Path) -> None:
    board = orjson.loads(file.read_bytes())
    assert board["uid"] == file.stem
    source = (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text()
    everything = board["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in panels(file):
        assert f"uid: {panel['datasource']['uid']}\n" in source
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]


def test_compose_and_prometheus_name_the_same_ports() -> None:
    compose = (ROOT / "compose.yaml").read_text()
    ports = set(
        re.findall(
            r'GONGCHE_(?:GATEWAY|WORKER|JUDGE|DELIVER|EXCHANGE|EXCHANGE809)_METRICS_PORT: "(\d+)"', compose
        )
    ) | {"8000"}
    assert set(re.findall(r'"127\.0\.0\.1:(\d+)"', (PROMETHEUS / "prometheus.yml").read_text())) == ports
    for mounted in re.findall(r"\./(deploy/\S+?):", compose):
        assert (ROOT / mounted).exists(), mounted
