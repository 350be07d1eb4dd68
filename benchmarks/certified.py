"""What is certified on recorded agents, and whether it deserves it: `python -m benchmarks.certified [DATA_FOLDER]`.

Recorded calls go through a proxy before a simulator that replays them. After three quarters of the sessions the log is
converted; the rest passes while the gatekeeper compares every answer of what was certified with the recorded one. One
row a task: what held-out calls said, and what the later sessions said. Exits with 1 when a certified task turns out
worse than its target on the later sessions by more than chance explains.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import orjson

from benchmarks.equality import data_folder
from benchmarks.machine import machine
from benchmarks.recordings import NAMES, Recorded, recorded
from benchmarks.requirement import Requirement
from benchmarks.table import table
from cli.processes import Started, started
from router.gate.clopper_pearson import upper_bound

_LEARNED: Final = 0.75
"""Share of the sessions that the conversion sees."""
_EXAMPLES: Final = 100
"""That a task needs to be learned, as the configuration has it by default."""
_CONNECTIONS: Final = 8
_CONFIDENCE: Final = 0.95
_PATIENCE: Final = 300.0
_CONFIGURATION: Final = """\
version: 1
server: {{port: 0}}
upstreams:
  replayed: {{base_url: "{upstream}/v1"}}
store: {{url: "sqlite:///{folder}/understudy.db", retain: null}}
state_dir: {folder}/state
defaults: {{route: auto, min_agreement: 0.95, confidence: 0.95, audit: 100%}}
learning: {{shadow_requests: 1000000}}
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """A task, as the proxy tells it."""

    trace: str
    task: str
    kind: str
    calls: int
    tried: str
    """The candidate, or why there is none."""
    held_out: str
    certified: bool
    state: str
    agreed: int
    """Of the pairs of the later sessions."""
    pairs: int
    target: float

    @property
    def broken(self) -> bool:
        """Whether the later pairs deny the target."""
        return (
            self.certified
            and self.pairs > 0
            and upper_bound(self.agreed, self.pairs, 1 - _CONFIDENCE) < self.target
        )

    def row(self) -> list[str]:
        """As a row of the table."""
        later = _agreement(self.agreed, self.pairs)
        certified = "yes" if self.certified else "no"
        first = [self.trace, self.task, self.kind, f"{self.calls:,}", self.tried]
        return [*first, self.held_out, certified, later, self.state]


def main(arguments: Sequence[str]) -> int:
    """Convert every recording and judge what was certified; returns the exit code."""
    folder = Path(arguments[0]) if arguments else data_folder()
    rows: list[Judged] = []
    for name in NAMES:
        if not (folder / f"{name}.jsonl.xz").exists():
            print(
                f"no recorded calls {name!r} in {folder}; name their folder, or set UNDERSTUDY_DATA",
                file=sys.stderr,
            )
            return 2
        with tempfile.TemporaryDirectory(prefix="understudy-certified-") as work:
            rows += _judged(name, folder, Path(work))
        print(f"{name}: {sum(row.trace == name for row in rows)} tasks", flush=True)
    requirements = [
        Requirement("certified tasks that later sessions deny", sum(row.broken for row in rows), 0, "at most")
    ]
    print("\n" + _report(rows, requirements))
    return 0 if all(requirement.met for requirement in requirements) else 1


def _judged(name: str, folder: Path, work: Path) -> list[Judged]:
    """Play one recording through a proxy, convert after three quarters of its sessions, and go on."""
    calls = recorded(name, folder)
    sessions = list(dict.fromkeys(call.example.session for call in calls))
    learned = set(sessions[: round(len(sessions) * _LEARNED)])
    with _deployed(folder / f"{name}.jsonl.xz", work) as proxy:
        _send(proxy, [call for call in calls if call.example.session in learned])
        report = _converted(proxy, len(calls), work)
        _send(proxy, [call for call in calls if call.example.session not in learned])
        tasks = _compared(proxy, len(calls))
    return list(_rows(name, report, tasks))


@contextmanager
def _deployed(trace: Path, work: Path) -> Iterator[Started]:
    simulate = ["simulate", "--port", "0", "--speed", "0", "--trace", str(trace)]
    with started(simulate, work / "upstream.log") as upstream:
        configuration = work / "understudy.yaml"
        configuration.write_text(_CONFIGURATION.format(upstream=upstream.url, folder=work))
        with started(["serve", "--config", str(configuration)], work / "proxy.log") as proxy:
            yield proxy


def _send(proxy: Started, calls: Sequence[Recorded]) -> None:
    """Sessions one beside the other, the calls of one in their order."""
    by_session: dict[str, list[Recorded]] = {}
    for call in calls:
        by_session.setdefault(call.example.session, []).append(call)
    with httpx2.Client(base_url=proxy.url, timeout=60) as client:

        def work(session: Sequence[Recorded]) -> None:
            for call in session:
                client.post("/v1/chat/completions", json=call.example.request).raise_for_status()

        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(work, by_session.values()))


def _converted(proxy: Started, calls: int, work: Path) -> dict[str, Any]:
    _settled(proxy)
    command = [sys.executable, "-m", "cli.main", "convert", "--json", "--limit", str(calls)]
    done = subprocess.run(
        [*command, "--config", str(work / "understudy.yaml")], capture_output=True, check=True
    )
    report: dict[str, Any] = orjson.loads(done.stdout)
    return report


def _compared(proxy: Started, calls: int) -> dict[str, Any]:
    """The tasks as the proxy tells them when everything is shipped and compared."""
    _settled(proxy)
    tasks = (
        httpx2.get(f"{proxy.url}/tasks", params={"window": "all"}, timeout=60)
        .raise_for_status()
        .json()["tasks"]
    )
    shown = (
        httpx2.get(f"{proxy.url}/tasks/{task['id']}", params={"window": "all"}, timeout=60) for task in tasks
    )
    return {task["id"]: task for task in (each.raise_for_status().json() for each in shown)}


def _settled(proxy: Started) -> None:
    """Wait until no call is on its way and none waits for its comparison."""
    deadline, quiet, last = time.monotonic() + _PATIENCE, 0, None
    while quiet < 5:
        stats = (
            httpx2.get(f"{proxy.url}/stats", params={"window": "all"}, timeout=60).raise_for_status().json()
        )
        now = (stats["calls"], stats["gatekeeper"]["compared"], stats["gatekeeper"]["waiting"])
        quiet = quiet + 1 if now == last and not now[2] else 0
        last = now
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"calls, comparisons and what waits still change after {_PATIENCE:.0f} s: {now}"
            )
        time.sleep(1)


def _rows(trace: str, report: dict[str, Any], tasks: dict[str, Any]) -> Iterator[Judged]:
    """The tasks that have examples enough to be learned."""
    evaluated = {each["task"]: each for each in report["evaluated"]["tasks"]}
    for selected in report["selected"]["tasks"]:
        examples = selected["training"] + selected["calibration"] + selected["held_out"]
        if examples < _EXAMPLES:
            continue
        task = tasks[selected["task"]]
        tried = evaluated.get(task["id"], {"trials": [], "best": ""})
        trial = next(
            iter(sorted(tried["trials"], key=lambda one: one["counts"]["candidate"] != tried["best"])), None
        )
        pairs = task["deployments"][-1]["pairs"] if task["deployments"] else {"agreed": 0, "disagreed": 0}
        yield Judged(
            trace=trace,
            task=task["id"],
            kind=task["kind"],
            calls=examples,
            tried=trial["counts"]["candidate"] if trial else selected["skipped"],
            held_out=_agreement(trial["verdict"]["successes"], trial["verdict"]["trials"]) if trial else "-",
            certified=trial is not None and trial["verdict"]["certified"],
            state=task["state"],
            agreed=pairs["agreed"],
            pairs=pairs["agreed"] + pairs["disagreed"],
            target=trial["verdict"]["target"] if trial else 0.0,
        )


def _agreement(agreed: int, pairs: int) -> str:
    return f"{agreed / pairs:.1%} ({agreed} of {pairs})" if pairs else "-"


def _report(rows: Sequence[Judged], requirements: Sequence[Requirement]) -> str:
    header = (
        "recording",
        "task",
        "answers",
        "calls",
        "tried",
        "held out",
        "certified",
        "later sessions",
        "state",
    )
    return "\n\n".join(
        [
            "# What is certified on recorded agents",
            f"{time.strftime('%Y-%m-%d %H:%M')}, {machine()}. {_LEARNED:.0%} of sessions learned from.",
            table(header, [row.row() for row in rows]),
            "## Required",
            table(("figure", "required", "measured", "verdict"), [each.row() for each in requirements]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
