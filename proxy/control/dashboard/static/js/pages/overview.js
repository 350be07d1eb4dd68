// The replacement rate, where it comes from, and what changed it.

import { get } from "../api.js";
import { chart } from "../charts.js";
import { card, h, show, table, tiles } from "../dom.js";
import { count, dollars, milliseconds, percent, when } from "../format.js";
import { taskColumns } from "./tasks.js";

const WINDOWS = { "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days", all: "all time" };

export const title = () => "Replacement rate";

export function open(place, { query, signal, go }) {
  const window_ = query.get("window") ?? "1h";
  const choice = h("select", { id: "window", onchange: (event) => go(`/dashboard?window=${event.target.value}`) },
    Object.entries(WINDOWS).map(([value, name]) => h("option", { value, selected: value === window_ }, name)));
  const shown = h("div");
  show(place, h("div", { class: "bar" }, h("label", { for: "window" }, "Window", choice)), shown);
  return refresh();

  async function refresh() {
    const [stats, timeline, tasks, changes] = await Promise.all([
      get("/stats", { window: window_ }, signal),
      get("/stats/timeline", { window: window_ }, signal),
      get("/tasks", { window: window_ }, signal),
      get("/changes", { window: window_ }, signal),
    ]);
    show(shown, page(stats, timeline, tasks.tasks, changes.changes));
    return refresh;
  }
}

function page(stats, timeline, tasks, changes) {
  if (stats.database.status !== "ok")
    return h("p", { class: "note", role: "status" }, `The database is away, so figures are missing; calls are served and kept. ${stats.database.error}`);
  return [headline(stats), summary(stats), charts(timeline),
    h("div", { class: "grid" },
      card("Tasks", table({ caption: "The tasks with most calls", columns: taskColumns(), rows: tasks.slice(0, 8), empty: "No task was found yet: understudy convert looks for them." })),
      card("What changed", changeList(changes)))];
}

// What the figures come to, for who has ten seconds.
function headline(stats) {
  if (!stats.routable) return h("p", { class: "headline" }, "No calls in this window yet. Point an agent's base_url at this proxy, and they appear here.");
  if (!stats.replaced) return h("p", { class: "headline" }, `The LLM answered all ${count(stats.routable)} calls and cost ${dollars(stats.cost)}. Nothing is replaced yet.`);
  const alone = stats.cost + stats.cost_avoided;
  return h("p", { class: "headline" }, "Small models answered ", h("b", {}, percent(stats.replacement_rate.calls)), ` of ${count(stats.routable)} calls. You spent ${dollars(stats.cost)} `,
    alone > 0 && ["instead of ", dollars(alone), ": ", h("b", {}, `${dollars(stats.cost_avoided)} avoided`), ` (${percent(stats.cost_avoided / alone)}).`]);
}

function summary(stats) {
  const rate = stats.replacement_rate;
  return tiles([
    { name: "Replaced, by calls", value: percent(rate.calls), more: `${count(stats.replaced)} of ${count(stats.routable)} routable calls`, main: true },
    { name: "Replaced, by tokens", value: percent(rate.tokens), more: "of all tokens" },
    { name: "Replaced, by dollars", value: percent(rate.dollars), more: "of the LLM's list price" },
    { name: "Cost avoided", value: dollars(stats.cost_avoided), more: `spent ${dollars(stats.cost)}` },
    { name: "Fallbacks", value: count(Object.values(stats.fallbacks).reduce((sum, each) => sum + each, 0)), more: Object.entries(stats.fallbacks).map(([cause, number]) => `${cause} ${number}`).join(", ") || "none" },
    { name: "Added by the proxy", value: milliseconds(stats.overhead_ms.p50), more: `p99 ${milliseconds(stats.overhead_ms.p99)}` },
    { name: "Understudies' median latency", value: milliseconds(stats.latency_ms.slm?.p50), more: `upstream ${milliseconds(stats.latency_ms.upstream?.p50)}` },
    { name: "Errors", value: count(stats.errors), more: `of ${count(stats.calls)} calls` },
  ]);
}

// What has only just begun says little: a stretch of which less than a quarter has passed waits until more has.
function settled(points, width) {
  const begun = points.length > 1 && Date.now() / 1000 - points.at(-1).at < width / 4;
  return begun ? points.slice(0, -1) : points;
}

function charts({ points: all, since, until, width }) {
  const points = settled(all, width);
  const extent = { since: since || (points[0]?.at ?? until - width), until };
  const times = points.map((point) => point.at);
  const line = (name, value) => ({ name, values: points.map(value) });
  const latency = (route, quantile) => (point) => point.latency_ms[route]?.[quantile] ?? null;
  return h("div", { class: "grid" },
    h("section", { class: "card", "aria-label": "Replacement rate over time" }, chart({
      title: "Replacement rate over time", ...extent, times, format: percent, top: 1,
      lines: [line("calls", (point) => point.replacement_rate.calls), line("tokens", (point) => point.replacement_rate.tokens), line("dollars", (point) => point.replacement_rate.dollars)],
    })),
    h("section", { class: "card", "aria-label": "Cost avoided" }, chart({
      title: "Cost avoided", ...extent, times: all.map((point) => point.at), format: dollars, lines: [{ name: "avoided", values: all.map((point) => point.cost_avoided), bars: true }],
    })),
    h("section", { class: "card", "aria-label": "Latency by route" }, chart({
      title: "Latency by route", ...extent, times, format: milliseconds,
      lines: [line("upstream p50", latency("upstream", "p50")), line("understudy p50", latency("slm", "p50")), line("upstream p95", latency("upstream", "p95")), line("understudy p95", latency("slm", "p95"))],
    })),
    h("section", { class: "card", "aria-label": "Calls over time" }, chart({
      title: "Calls over time", ...extent, times, format: count, lines: [line("routable", (point) => point.routable), line("replaced", (point) => point.replaced), line("errors", (point) => point.errors)],
    })));
}

function changeList(changes) {
  return table({
    caption: "Moves of understudies, new routers and configurations, newest first",
    empty: "Nothing changed in this window.",
    columns: [
      { name: "when", cell: (change) => when(change.at) },
      { name: "what", cell: (change) => (change.kind === "move" ? change.subject : `${change.kind} ${change.subject}`) },
      { name: "why", wide: true, cell: (change) => change.text },
    ],
    rows: changes.slice(0, 12),
  });
}
