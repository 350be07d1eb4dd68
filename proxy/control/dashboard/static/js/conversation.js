// Request and response bodies of the four endpoints as plain text.

import { h, verbatim } from "./dom.js";

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function contentText(content) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return content === null || content === undefined ? "" : pretty(content);
  return content.map((part) => part.text ?? part.refusal ?? pretty(part)).join("\n");
}

function toolText(call) {
  const called = call.function ?? call;
  const given = called.arguments ?? called.input ?? "";
  return `${called.name}(${typeof given === "string" ? given : JSON.stringify(given)})`;
}

// What the model said, in its first choice.
export function answerText(body) {
  if (body === null || body === undefined) return "";
  if (typeof body === "string") return body;
  if (Array.isArray(body.choices)) {
    const choice = body.choices[0] ?? {};
    const message = choice.message ?? { content: choice.text };
    return [contentText(message.content), ...(message.tool_calls ?? []).map(toolText), message.refusal].filter(Boolean).join("\n");
  }
  const items = body.output ?? body.content;
  if (Array.isArray(items))
    return items.map((item) => (item.type === "function_call" || item.type === "tool_use" ? toolText(item) : contentText(item.content ?? item.text))).filter(Boolean).join("\n");
  return pretty(body);
}

// What one side of a pair said; the endpoint's envelope is gone already.
export function saidText(answer) {
  if (answer === null) return "not kept";
  return [answer.text, ...(answer.tool_calls ?? []).map(toolText), answer.refusal].filter(Boolean).join("\n") || "nothing was said";
}

function turns(body) {
  const system = body.instructions ?? body.system;
  const said = body.messages ?? body.input ?? body.prompt ?? [];
  const list = Array.isArray(said) && said.every((each) => typeof each === "object") ? said : [{ role: "user", content: said }];
  return system ? [{ role: "system", content: system }, ...list] : list;
}

// A request's conversation, one element a message.
export function conversation(body) {
  if (body === null || typeof body !== "object") return [verbatim(pretty(body ?? "The content was not stored."))];
  return turns(body).map((turn) => h("div", { class: "message" }, h("b", {}, turn.role ?? turn.type ?? ""),
    verbatim([contentText(turn.content ?? turn.output ?? ""), ...(turn.tool_calls ?? []).map(toolText), turn.type === "function_call" ? toolText(turn) : ""].filter(Boolean).join("\n"))));
}

export const json = (value) => verbatim(pretty(value));
