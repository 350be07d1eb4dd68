// One call: why it went where it went, what was said, and the calls around it.

import { get, post } from "../api.js";
import { answerText, conversation, json } from "../conversation.js";
import { card, facts, h, show, table, verbatim } from "../dom.js";
import { bytes, count, dollars, milliseconds, percent, when } from "../format.js";

export const title = () => "Call";

export async function open(place, { argument, signal }) {
  const call = await get(`/calls/${argument}`, {}, signal);
  show(place, why(call), h("div", { class: "grid" },
    card("Conversation", conversation(call.request_body), h("details", {}, h("summary", {}, "Request as sent"), json(call.request_body))),
    card("Answer", verbatim(answerText(call.response_body)), h("details", {}, h("summary", {}, "Response as received"), json(call.response_body)))),
    judge(call.id));
  return null;
}

function why(call) {
  const usage = call.usage;
  return card("Why it went there",
    h("p", {}, call.explanation ?? `${call.reason}.`),
    facts({
      id: call.id, when: when(call.started), route: call.route === "slm" ? `understudy ${call.understudy}` : `upstream ${call.target}`,
      task: call.task || "unknown", rule: call.rule, confidence: call.confidence === null ? "–" : percent(call.confidence), fallback: call.fallback || "none",
      model: `${call.model} → ${call.served_model}`, status: `${call.status}${call.error ? ` ${call.error}` : ""}`,
      took: `${milliseconds(call.duration_ms)}, of which the proxy ${milliseconds(call.overhead_ms)}`,
      tokens: `${count(usage.input)} in, ${count(usage.cached_input)} cached, ${count(usage.output)} out`,
      cost: dollars(call.cost), avoided: dollars(call.cost_avoided), size: `${bytes(call.request_size)} + ${bytes(call.response_size)}`,
      session: h("a", { href: `/dashboard/calls?session=${encodeURIComponent(call.session)}` }, call.session_name || call.session), configuration: call.config,
    }),
    table({
      caption: "Attempts", rows: call.attempts,
      columns: [
        { name: "target", cell: (attempt) => `${attempt.route} ${attempt.target}` },
        { name: "status", number: true, cell: (attempt) => String(attempt.status || "–") },
        { name: "ended", cell: (attempt) => attempt.cause || "answered" },
        { name: "took", number: true, cell: (attempt) => milliseconds(attempt.duration_us / 1000) },
      ],
    }));
}

function judge(id) {
  const told = h("p", { role: "status", class: "quiet" });
  const say = (good) => async () => {
    try {
      await post("/feedback", { call_id: id, good });
      told.textContent = good ? "Noted as a good answer." : "Noted: this answer will not be learned from.";
    } catch (error) {
      told.textContent = error.message;
    }
  };
  return card("Was this answer good?", h("div", { class: "bar" },
    h("button", { type: "button", onclick: say(true) }, "Good"), h("button", { type: "button", onclick: say(false) }, "Bad")), told);
}
