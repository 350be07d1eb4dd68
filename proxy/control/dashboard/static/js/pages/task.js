// One task: its understudies, the evidence of every move, and both answers side by side.

import { get } from "../api.js";
import { conversation, saidText } from "../conversation.js";
import { sideBySide } from "../diff.js";
import { card, facts, h, show } from "../dom.js";
import { count, dollars, percent, when } from "../format.js";
import { agreement, badge } from "./tasks.js";

export const title = ({ argument }) => argument;

export async function open(place, { argument, signal }) {
  const own = h("div");
  const pairs = h("div");
  show(place, own, pairs);
  await refresh();
  await samples();
  return refresh;

  async function refresh() {
    const task = await get(`/tasks/${argument}`, { window: "30d" }, signal);
    show(own, h("div", { class: "grid" }, overview(task), task.deployments.map(understudy)));
  }

  async function samples() {
    try {
      const answer = await get(`/tasks/${argument}/samples`, { limit: 12 }, signal);
      show(pairs, card("Both answers, side by side", answer.samples.length ? answer.samples.map((pair, index) => sample(pair, index === 0)) : h("p", { class: "quiet" }, "No pair was scored yet.")));
    } catch (error) {
      if (error.status !== 403) throw error;
      show(pairs, card("Both answers, side by side", h("p", { class: "quiet" }, error.message)));
    }
  }
}

function overview(task) {
  return card("Overview", facts({
    title: task.title, state: badge(task.state), answers: task.kind, calls: `${count(task.calls)} (${percent(task.share)} of routable calls)`,
    replaced: `${count(task.replaced)} (${percent(task.replacement_rate)})`, coverage: percent(task.coverage),
    agreement: h("div", {}, agreement(task.agreement)), spent: dollars(task.cost), avoided: dollars(task.cost_avoided), "could avoid": dollars(task.would_avoid),
  }), h("p", {}, h("a", { href: `/dashboard/calls?task=${encodeURIComponent(task.id)}` }, "Calls of this task")));
}

function understudy(deployment) {
  const { pairs } = deployment;
  return card(deployment.understudy,
    facts({
      state: badge(deployment.state), engine: deployment.engine, "confidence threshold": deployment.threshold,
      "held-out": deployment.offline?.sentence,
      pairs: `${count(pairs.agreed)} agree, ${count(pairs.disagreed)} do not, ${count(pairs.abstained)} handed over (${count(pairs.shadow)} shadow, ${count(pairs.audit)} audit)`,
    }),
    h("h3", {}, "Evidence"),
    deployment.moves.length ? h("ol", { class: "trail" }, deployment.moves.map(move)) : h("p", { class: "quiet" }, "It has not moved yet."));
}

function move(step) {
  const numbers = Object.entries(step.numbers).map(([name, value]) => `${name} ${typeof value === "number" ? Number(value.toPrecision(5)) : value}`);
  return h("li", {}, badge(step.before), " → ", badge(step.after), " ", h("time", { class: "quiet", datetime: new Date(step.at * 1000).toISOString() }, when(step.at)),
    h("div", {}, step.sentence), h("div", { class: "quiet" }, `${step.rule}: ${numbers.join(", ")}`));
}

function sample(pair, first) {
  const verdict = pair.agreed === null ? "handed over" : pair.agreed ? "agree" : "differ";
  const [left, right] = sideBySide(saidText(pair.llm_body), saidText(pair.understudy_body));
  return h("details", { open: first || pair.agreed === false }, h("summary", {}, `${verdict} · ${pair.source} · ${when(pair.at)}`),
    h("p", {}, h("a", { href: `/dashboard/calls/${pair.call_id}` }, "The call"), pair.why && ` · ${pair.why}`),
    h("details", {}, h("summary", {}, "What was asked"), conversation(pair.request_body)),
    h("div", { class: "grid" }, h("div", {}, h("b", {}, "LLM"), left), h("div", {}, h("b", {}, "Understudy"), right)));
}
