// Charts over time: uPlot draws, a table says the same to who cannot see it.

import { h, table } from "./dom.js";
import { when } from "./format.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// lines: [{name, values, bars}], times and the window from `since` to `until` in Unix seconds; `format` writes a value.
export function chart({ title, since, until, times, lines, format, top = null }) {
  const plot = h("div", { class: "plot", "aria-hidden": "true" });
  const legend = h("ul", { class: "legend" }, lines.map((line, index) => {
    const mark = h("i");
    mark.style.background = colour(`--series-${index + 1}`);
    return h("li", {}, mark, `${line.name} ${line.bars ? `${format(sum(line.values))} in all` : format(last(line.values))}`);
  }));
  const columns = [
    { name: "time", cell: (index) => when(times[index]) },
    ...lines.map((line) => ({ name: line.name, number: true, cell: (index) => format(line.values[index]) })),
  ];
  const figures = h("details", {}, h("summary", {}, "As a table"),
    table({ caption: title, columns, rows: times.map((_, index) => index).reverse() }));
  if (times.length) draw(plot, { since, until, times, lines, format, top });
  else plot.append(h("p", { class: "quiet" }, "No calls in this window yet."));
  return h("figure", {}, h("figcaption", {}, title, lines.some((line) => !line.bars) && h("small", {}, "latest values")), legend, plot, figures);
}

// How uPlot writes times: by the distance between marks, with the day beside the first hour of each.
const DAY = "\n{D} {MMM}";
const times24 = [
  [31536000, "{YYYY}", null, null, null, null, null, null, 1],
  [86400, "{D} {MMM}", null, null, null, null, null, null, 1],
  [60, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", DAY, null, DAY, null, null, null, 1],
];

// Pixels that the labels of an axis take.
const roomFor = (_, labels) => 20 + 7 * Math.max(...(labels ?? [""]).map((label) => label.length));

function last(values) {
  return values.findLast((value) => value !== null && value !== undefined) ?? null;
}

const sum = (values) => values.reduce((total, each) => total + (each ?? 0), 0);

function draw(place, { since, until, times, lines, format, top }) {
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const options = {
    width: 400, height: 200, cursor: { y: false }, legend: { show: false },
    scales: { x: { range: [since, until] }, y: { range: (_, low, high) => [0, top ?? ((high || 0) * 1.1 || 1)] } },
    axes: [{ ...axis, values: times24 }, { ...axis, size: roomFor, values: (_, marks) => marks.map((mark) => format(mark)) }],
    series: [{}, ...lines.map((line, index) => ({
      label: line.name, stroke: colour(`--series-${index + 1}`), width: 2, spanGaps: true, points: { show: times.length < 40 },
      ...(line.bars ? { paths: uPlot.paths.bars({ size: [0.7, 40] }), fill: colour(`--series-${index + 1}`), points: { show: false } } : {}),
    }))],
  };
  const watcher = new ResizeObserver(([entry]) => {
    const { width, height } = entry.contentRect;
    if (width) drawn.setSize({ width, height });
  });
  const drawn = new uPlot(options, [times, ...lines.map((line) => line.values)], place);
  watcher.observe(place);
}
