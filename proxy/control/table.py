"""`/stats` as a table for people: plain text, 80 columns, no colours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

Report = Mapping[str, Any]


def render(report: Report) -> str:
    """The report as lines of text."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"Understudy, window {report['window']}"
    yield ""
    if report["calls"] is None:
        yield f"  the database is away: {report['database']['error']}"
        yield "  agents are served as usual; calls wait in the journal"
    else:
        yield from _figures(report)
    yield ""
    yield from _state(report)


def _figures(report: Report) -> Iterator[str]:
    rate = report["replacement_rate"]
    yield f"  calls              {report['calls']:>12,}   routable {report['routable']:,}   errors {report['errors']:,}"
    yield f"  replaced           {report['replaced']:>12,}"
    yield (
        f"  replacement rate   {_percent(rate['calls']):>12}   by tokens {_percent(rate['tokens'])}"
        f"   by dollars {_percent(rate['dollars'])}"
    )
    yield f"  fallbacks          {sum(report['fallbacks'].values()):>12,}   {_counts(report['fallbacks'])}".rstrip()
    tokens = report["tokens"]
    yield (
        f"  tokens             {tokens['input'] + tokens['cached_input'] + tokens['cache_write']:>12,} in"
        f" ({tokens['cached_input']:,} cached)   {tokens['output']:,} out"
    )
    yield f"  cost               {_dollars(report['cost']):>12}   avoided {_dollars(report['cost_avoided'])}{_unpriced(report)}"
    for route, times in sorted(report["latency_ms"].items()):
        yield f"  latency {route:<10} {_times(times)}"
    if report["overhead_ms"]:
        yield f"  added overhead     {_times(report['overhead_ms'])}"
    if report["groups"]:
        yield ""
        yield from _groups(report)


def _groups(report: Report) -> Iterator[str]:
    yield f"  {'by ' + report['by']:<28} {'calls':>10} {'replaced':>10} {'rate':>8} {'cost':>10} {'avoided':>10}"
    for group in sorted(report["groups"], key=lambda each: (-each["calls"], each["name"])):
        yield (
            f"  {(group['name'] or '-')[:28]:<28} {group['calls']:>10,} {group['replaced']:>10,}"
            f" {_percent(group['replacement_rate']['calls']):>8} {_dollars(group['cost']):>10}"
            f" {_dollars(group['cost_avoided']):>10}"
        )


def _state(report: Report) -> Iterator[str]:
    lag, config = report["lag"], report["config"]
    oldest = "" if lag["oldest_seconds"] is None else f", oldest {lag['oldest_seconds']:.1f} s"
    yield f"  journal            {lag['bytes']:>12,} bytes wait{oldest}   shipper {lag['shipper']}"
    if lag["away"]:
        yield f"  journal            the database takes nothing now: {lag['last_error']}"
    if lag["lost"] or lag["quarantined"] or lag["corrupt"]:
        yield f"  journal            {lag['lost']} lost, {lag['quarantined']} quarantined, {lag['corrupt']} corrupt"
    loaded = time.strftime("%H:%M:%S", time.localtime(config["loaded"])) if config["loaded"] else "-"
    yield f"  configuration      {config['version'] or 'differs':>12}   loaded {loaded}   workers {len(config['workers'])}"
    if config["error"]:
        yield f"  configuration      the file is not in force: {config['error']}"
    if config["restart_needed"]:
        yield f"  configuration      takes a restart: {', '.join(config['restart_needed'])}"
    yield from _learned(report["learned"])
    yield from _gatekeeper(report["gatekeeper"])
    yield from _engines(report["engines"])


def _learned(learned: Mapping[str, Any]) -> Iterator[str]:
    if learned["deployments"]:
        yield f"  understudies       {sum(learned['deployments'].values()):>12,}   {_counts(learned['deployments'])}"
    if learned["error"]:
        yield f"  understudies       what is published is not wholly in force: {learned['error']}"


def _gatekeeper(gatekeeper: Mapping[str, Any] | None) -> Iterator[str]:
    if gatekeeper is None:
        return
    yield (
        f"  gatekeeper         {gatekeeper['compared']:>12,} compared   {gatekeeper['waiting']:,} wait"
        f"   today {gatekeeper['requests_today']:,} requests, {_dollars(gatekeeper['dollars_today'])}"
    )
    for told in (gatekeeper["budget"], *gatekeeper["servers"].values(), gatekeeper["database_error"]):
        if told:
            yield f"  gatekeeper         {told}"


def _engines(engines: Mapping[str, Any]) -> Iterator[str]:
    for name, engine in engines.items():
        for server in engine["servers"]:
            load = server["load"]
            told = f"   running {load['running']}, waiting {load['waiting']}" if load else ""
            yield f"  engine {name[:11]:<11} {server['in_flight']:>12,} in flight   breaker {server['breaker']}{told}"


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.1f}%"


def _dollars(amount: float) -> str:
    return f"${amount:,.4f}"


def _unpriced(report: Report) -> str:
    return f"   {report['unpriced']:,} calls unpriced" if report["unpriced"] else ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


def _times(times: Mapping[str, float]) -> str:
    return "   ".join(f"{name} {value:,.2f} ms" for name, value in times.items())
