// The log: newest first, filtered, and searched for what was said.

import { get } from "../api.js";
import { h, show, table } from "../dom.js";
import { count, dollars, milliseconds, when } from "../format.js";
import { taskLink } from "./tasks.js";

const FIELDS = ["task", "model", "rule", "session", "status"];
const TIMES = ["since", "until"];
const CALL_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const title = () => "Calls";

export async function open(place, { query, signal, go }) {
  const chosen = Object.fromEntries(["text", "route", ...FIELDS, ...TIMES, "before"].map((name) => [name, query.get(name) ?? ""]));
  const shown = h("div");
  show(place, filters(chosen, go), shown);
  const first = !chosen.before;
  await refresh();
  return first && !chosen.text ? refresh : null; // a search opens many calls: once is enough

  async function refresh() {
    const times = Object.fromEntries(TIMES.map((name) => [name, chosen[name] && Date.parse(chosen[name]) / 1000]));
    const { calls, next, searched } = await get("/calls", { ...chosen, ...times, limit: 50 }, signal);
    const older = next && new URLSearchParams(Object.entries({ ...chosen, before: next }).filter(([, value]) => value));
    const looked = searched !== undefined && h("p", { class: "quiet", role: "status" }, `${count(searched)} calls were looked through${next ? "; there are older ones" : ""}.`);
    show(shown, looked, table({ caption: first ? "Newest calls" : "Older calls", columns, rows: calls, empty: next ? "No call so far." : "No call matches." }),
      older && h("p", {}, h("a", { href: `/dashboard/calls?${older}` }, searched === undefined ? "Older calls" : "Search on")));
  }
}

function filters(chosen, go) {
  const field = (name) => h("label", {}, name, h("input", { name, value: chosen[name], autocomplete: "off" }));
  const route = h("label", {}, "route", h("select", { name: "route" },
    [["", "any"], ["upstream", "upstream"], ["slm", "understudy"]].map(([value, name]) => h("option", { value, selected: chosen.route === value }, name))));
  const search = (event) => {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value.trim()).map(([name, value]) => [name, value.trim()]));
    const { id, ...rest } = given;
    go(id && CALL_ID.test(id) ? `/dashboard/calls/${id}` : `/dashboard/calls?${new URLSearchParams(rest)}`);
  };
  const time = (name) => h("label", {}, name, h("input", { name, type: "datetime-local", value: chosen[name] }));
  return h("form", { class: "bar", role: "search", onsubmit: search }, h("label", {}, "what was said", h("input", { name: "text", type: "search", value: chosen.text, autocomplete: "off" })),
    route, FIELDS.map(field), TIMES.map(time), h("label", {}, "call id", h("input", { name: "id", autocomplete: "off" })), h("button", { class: "primary" }, "Search"));
}

const columns = [
  { name: "when", cell: (call) => h("a", { href: `/dashboard/calls/${call.id}` }, when(call.started)) },
  { name: "route", cell: (call) => [h("span", { class: `badge ${call.route === "slm" ? "live" : ""}` }, call.route === "slm" ? "understudy" : "upstream"), call.fallback && h("div", { class: "quiet" }, `fell back: ${call.fallback}`)] },
  { name: "task", cell: (call) => (call.task ? taskLink(call.task) : "–") },
  { name: "model", cell: (call) => call.served_model || call.model || "–" },
  { name: "rule", cell: (call) => call.rule },
  { name: "status", number: true, cell: (call) => h("span", { class: call.status >= 400 ? "badge error" : null }, String(call.status)) },
  { name: "took", number: true, cell: (call) => milliseconds(call.duration_ms) },
  { name: "tokens", number: true, cell: (call) => `${count(call.usage.input + call.usage.cached_input + call.usage.cache_write)} + ${count(call.usage.output)}` },
  { name: "cost", number: true, cell: (call) => dollars(call.cost) },
];
