// Builds elements. Text is always text, never markup: what agents and models wrote is shown here.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// On a narrow screen its rows become blocks (see dashboard.css), which the roles keep a table for screen readers.
export function table({ caption, columns, rows, empty = "Nothing yet." }) {
  if (!rows.length) return h("p", { class: "quiet" }, empty);
  const kind = (column) => [column.number && "number", column.wide && "wide"].filter(Boolean).join(" ") || null;
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { role: "table" },
      h("caption", {}, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((column) => h("th", { role: "columnheader", scope: "col", class: kind(column) }, column.name)))),
      h("tbody", { role: "rowgroup" }, rows.map((row) => h("tr", { role: "row" }, columns.map((column) => h("td", { role: "cell", class: kind(column), "data-name": column.name }, h("div", {}, column.cell(row) ?? "–"))))))));
}

// Text as it is; where it is long it scrolls, and so it takes the keyboard.
export function verbatim(...children) {
  return h("pre", { tabindex: "0" }, ...children);
}

export function facts(pairs) {
  return h("dl", { class: "facts" },
    Object.entries(pairs).filter(([, value]) => value !== undefined).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value ?? "–")]));
}

export function tiles(entries) {
  return h("dl", { class: "tiles" }, entries.map(({ name, value, more, main }) =>
    h("div", { class: main ? "tile main" : "tile" }, h("dt", {}, name), h("dd", {}, value, more && h("small", {}, more)))));
}

export function card(title, ...children) {
  return h("section", { class: "card", "aria-label": title }, h("h2", {}, title), ...children);
}

// Replaces what a place shows, keeping focus, open details and scroll positions where the same things stand again.
export function show(place, ...children) {
  const open = [...place.querySelectorAll("details")].map((each) => each.open);
  const scrolled = [...place.querySelectorAll(".scroll, pre")].map((each) => [each.scrollLeft, each.scrollTop]);
  const focused = [...place.querySelectorAll("a, button, summary, [tabindex]")].indexOf(document.activeElement);
  place.replaceChildren(...children.flat(Infinity).filter(Boolean));
  place.querySelectorAll("details").forEach((each, index) => { if (open[index]) each.open = true; });
  place.querySelectorAll(".scroll, pre").forEach((each, index) => {
    if (scrolled[index]) [each.scrollLeft, each.scrollTop] = scrolled[index];
  });
  if (focused >= 0) place.querySelectorAll("a, button, summary, [tabindex]")[focused]?.focus({ preventScroll: true });
}
