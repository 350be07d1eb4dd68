// The file in force; a change is checked and tried on the log before it is applied.

import { get, post, put } from "../api.js";
import { card, h, show, table, tiles } from "../dom.js";
import { count, dollars, milliseconds, percent } from "../format.js";

const WINDOWS = { "1h": "last hour", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days", all: "all time" };

export const title = () => "Rules";

// The file; null when only its owner may read it, and then what others may do is shown without it.
async function readable(place, signal) {
  try {
    return await get("/rules", {}, signal);
  } catch (error) {
    if (error.status !== 403) throw error;
    show(place, card("The file", h("p", { class: "note" }, error.message)), card("Which rule takes a call", explainForm()));
    return null;
  }
}

export async function open(place, { signal }) {
  let sheet = await readable(place, signal);
  if (!sheet) return null;
  const text = h("textarea", { id: "yaml", spellcheck: "false", "aria-describedby": "verdict", readonly: !sheet.editable }, );
  text.value = sheet.text;
  const window_ = h("select", {}, Object.entries(WINDOWS).map(([value, name]) => h("option", { value, selected: value === "7d" }, name)));
  const verdict = h("div", { id: "verdict", role: "status" });
  const apply = h("button", { type: "button", disabled: !sheet.editable, onclick: guarded(onApply) }, "Apply");
  show(place,
    card("The file", h("p", { class: "quiet" }, sheet.path ? `${sheet.path}, version in force ${sheet.version}` : "No file: the defaults are in force. Run understudy init to write one."),
      h("label", { for: "yaml" }, "understudy.yaml"), text,
      h("div", { class: "bar" },
        h("button", { type: "button", class: "primary", onclick: guarded(onCheck) }, "Check"),
        h("button", { type: "button", onclick: guarded(onBacktest) }, "Try it on the log"), h("label", {}, "window", window_), apply), verdict),
    card("Which rule takes a call", explainForm()));
  return null;

  function guarded(work) {
    return async () => {
      show(verdict, h("p", { class: "quiet" }, "Working …"));
      try {
        await work();
      } catch (error) {
        show(verdict, h("p", { class: "note bad" }, error.message));
      }
    };
  }

  async function onCheck() {
    show(verdict, checked(await post("/rules/check", { text: text.value })));
  }

  async function onBacktest() {
    const report = await post("/rules/backtest", { text: text.value, window: window_.value });
    show(verdict, report.valid === false ? checked(report) : backtested(report));
  }

  async function onApply() {
    const answer = await put("/rules", { text: text.value, version: sheet.file_version });
    if (answer.valid === false) return show(verdict, checked(answer));
    sheet = answer;
    show(verdict, h("p", { class: "note good" }, "Written; every worker takes it within two seconds."));
  }
}

function checked(answer) {
  if (answer.valid) return h("p", { class: "note good" }, `Valid: ${answer.rules} rules, version ${answer.version}.`);
  return h("div", { class: "note bad" }, h("p", {}, "Not valid; nothing was changed."), h("ul", {}, answer.problems.map((problem) => h("li", {}, problem.text))));
}

function backtested(report) {
  const { today, other } = report;
  const interval = ({ agreement }) => (agreement ? `${percent(agreement.estimate)} (${percent(agreement.lower)} to ${percent(agreement.upper)})` : "not known");
  return [
    tiles([
      { name: "Replacement rate", value: percent(other.replacement_rate), more: `today ${percent(today.replacement_rate)}`, main: true },
      { name: "Expected agreement", value: interval(other), more: `today ${interval(today)}` },
      { name: "Cost", value: dollars(other.dollars), more: `today ${dollars(today.dollars)}` },
      { name: "Median latency", value: milliseconds(other.latency_ms.p50), more: `today ${milliseconds(today.latency_ms.p50)}` },
      { name: "95% are faster than", value: milliseconds(other.latency_ms.p95), more: `today ${milliseconds(today.latency_ms.p95)}` },
      { name: "Calls that would move", value: count(report.moved), more: `of ${count(today.calls)}` },
    ]),
    report.notes.map((note) => h("p", { class: "note" }, note)),
    table({
      caption: "By rule", rows: report.rules, columns: groupColumns("rule"),
    }),
    table({ caption: "By task", rows: report.tasks, columns: groupColumns("task") }),
    table({
      caption: "The latest calls that would move", rows: report.examples, empty: "No call would move.",
      columns: [
        { name: "call", cell: (call) => h("a", { href: `/dashboard/calls/${call.call_id}` }, call.call_id) },
        { name: "from", cell: (call) => call.before },
        { name: "to", cell: (call) => call.after },
        { name: "why", wide: true, cell: (call) => `${call.rule}: ${call.reason}` },
      ],
    }),
  ];
}

function groupColumns(kind) {
  return [
    { name: kind, cell: (row) => row.name || "none" },
    { name: "calls today", number: true, cell: (row) => count(row.today.calls) },
    { name: "calls then", number: true, cell: (row) => count(row.other.calls) },
    { name: "replaced today", number: true, cell: (row) => percent(row.today.replacement_rate) },
    { name: "replaced then", number: true, cell: (row) => percent(row.other.replacement_rate) },
    { name: "agreement then", number: true, cell: (row) => percent(row.other.agreement?.estimate) },
    { name: "cost today", number: true, cell: (row) => dollars(row.today.dollars) },
    { name: "cost then", number: true, cell: (row) => dollars(row.other.dollars) },
  ];
}

function explainForm() {
  const told = h("div", { role: "status" });
  const explain = async (event) => {
    event.preventDefault();
    const id = new FormData(event.target).get("call").trim();
    try {
      const answer = await post("/rules/explain", { call_id: id });
      show(told, h("p", {}, answer.sentence), table({
        caption: "Rules in order", rows: answer.checks, columns: [
          { name: "rule", cell: (check) => check.rule },
          { name: "takes it", cell: (check) => (check.matched ? "yes" : "no") },
          { name: "condition", cell: (check) => check.key || "–" },
          { name: "wanted", wide: true, cell: (check) => check.expected || "–" },
          { name: "found", wide: true, cell: (check) => check.found || "–" },
        ],
      }));
    } catch (error) {
      show(told, h("p", { class: "note bad" }, error.message));
    }
  };
  return h("form", { onsubmit: explain }, h("div", { class: "bar" }, h("label", {}, "Id of a recorded call", h("input", { name: "call", required: true, autocomplete: "off" })), h("button", {}, "Explain")), told);
}
