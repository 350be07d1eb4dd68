// Every task that was found, and how far its understudy has come.

import { get } from "../api.js";
import { h, show, table } from "../dom.js";
import { count, dollars, percent } from "../format.js";

export const title = () => "Tasks";

export async function open(place, { signal }) {
  const { tasks } = await get("/tasks", { window: "30d" }, signal);
  show(place, table({
    caption: "Tasks of the last 30 days, by share of calls",
    columns: [...taskColumns(), ...moreColumns],
    rows: tasks,
    empty: "No task was found yet. Let traffic flow, then run: understudy convert",
  }));
  return () => open(place, { signal });
}

export const badge = (state) => h("span", { class: `badge ${state}` }, state);

export const taskLink = (id) => h("a", { href: `/dashboard/tasks/${id}` }, id);

const LEFT = 0.75; // where the bar of agreement begins: below it nobody looks for differences

// From the certified lower bound to 1, with the target as a mark.
export function agreement(found) {
  if (!found) return "–";
  const bar = h("i");
  const place = (value) => `${Math.max(0, (value - LEFT) / (1 - LEFT)) * 100}%`;
  bar.style.left = place(found.lower);
  bar.style.right = "0";
  const mark = h("b");
  mark.style.left = place(found.target);
  const measured = found.estimate === null ? "not yet compared live" : `${percent(found.estimate)} of ${count(found.pairs)} pairs agreed`;
  const words = `at least ${percent(found.lower)} (target ${percent(found.target)}); ${measured}`;
  return [h("span", {}, words), h("div", { class: "range", "aria-hidden": "true" }, bar, mark)];
}

export function taskColumns() {
  return [
    { name: "task", wide: true, cell: (task) => [taskLink(task.id), h("div", { class: "quiet" }, task.title)] },
    { name: "share", number: true, cell: (task) => percent(task.share) },
    { name: "state", cell: (task) => badge(task.state) },
    { name: "replaced", number: true, cell: (task) => percent(task.replacement_rate) },
    { name: "agreement", wide: true, cell: (task) => agreement(task.agreement) },
  ];
}

const moreColumns = [
  { name: "answers", cell: (task) => task.kind },
  { name: "understudy", cell: (task) => task.understudy || "–" },
  { name: "coverage", number: true, cell: (task) => percent(task.coverage) },
  { name: "spent", number: true, cell: (task) => dollars(task.cost) },
  { name: "avoided", number: true, cell: (task) => dollars(task.cost_avoided) },
  { name: "could avoid", number: true, cell: (task) => dollars(task.would_avoid) },
];
