// The file in force; a change is checked and tried on the log before it is applied.

import { get, post, put } from "../api.js";
import { card, h, show, table, tiles } from "../dom.js";
import { count, dollars, percent } from "../format.js";

export const title = () => "Rules";

export async function open(place, { signal }) {
  let sheet = await get("/rules", {}, signal);
  const text = h("textarea", { id: "yaml", spellcheck: "false", "aria-describedby": "verdict", readonly: !sheet.editable }, );
  text.value = sheet.text;
  const verdict = h("div", { id: "verdict", role: "status" });
  const apply = h("button", { type: "button", disabled: !sheet.editable, onclick: guarded(onApply) }, "Apply");
  show(place,
    card("The file", h("p", { class: "quiet" }, sheet.path ? `${sheet.path}, version in force ${sheet.version}` : "No file: the defaults are in force. Run understudy init to write one."),
      h("label", { for: "yaml" }, "understudy.yaml"), text,
      h("div", { class: "bar" },
        h("button", { type: "button", class: "primary", onclick: guarded(onCheck) }, "Check"),
        h("button", { type: "button", onclick: guarded(onBacktest) }, "Try it on the last 7 days"), apply), verdict),
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
    const report = await post("/rules/backtest", { text: text.value, window: "7d" });
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
      { name: "Calls that would move", value: count(report.moved), more: `of ${count(today.calls)}` },
    ]),
    table({
      caption: "By rule", rows: report.rules, columns: groupColumns("rule"),
    }),
    table({ caption: "By task", rows: report.tasks, columns: groupColumns("task") }),
    report.notes.length > 0 && h("ul", { class: "quiet" }, report.notes.map((note) => h("li", {}, note))),
  ];
}

function groupColumns(kind) {
  return [
    { name: kind, cell: (row) => row.name || "none" },
    { name: "calls today", number: true, cell: (row) => count(row.today.calls) },
    { name: "calls then", number: true, cell: (row) => count(row.other.calls) },
    { name: "replaced today", number: true, cell: (row) => percent(row.today.replacement_rate) },
    { name: "replaced then", number: true, cell: (row) => percent(row.other.replacement_rate) },
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
