// Which page is shown, kept in the address; the page says what to do, this says when.

import { h, show } from "./dom.js";
import * as call from "./pages/call.js";
import * as calls from "./pages/calls.js";
import * as overview from "./pages/overview.js";
import * as rules from "./pages/rules.js";
import * as system from "./pages/system.js";
import * as task from "./pages/task.js";
import * as tasks from "./pages/tasks.js";

const ROOT = "/dashboard";
const LIVE_SECONDS = 2;
const PAGES = [
  [/^\/?$/, overview],
  [/^\/tasks\/?$/, tasks],
  [/^\/tasks\/(.+)$/, task],
  [/^\/calls\/?$/, calls],
  [/^\/calls\/([^/]+)$/, call],
  [/^\/rules\/?$/, rules],
  [/^\/system\/?$/, system],
];

const main = document.getElementById("main");
const live = document.getElementById("live");
let shown = null;

async function open({ focus = false } = {}) {
  shown?.abort();
  const own = (shown = new AbortController());
  const path = decodeURI(location.pathname.slice(ROOT.length));
  const [pattern, page] = PAGES.find(([each]) => each.test(path)) ?? [null, null];
  mark(path);
  if (!page) {
    show(main, h("h1", {}, "No such page"), h("p", {}, h("a", { href: ROOT }, "Overview")));
    return;
  }
  const context = {
    argument: pattern.exec(path)[1],
    query: new URLSearchParams(location.search),
    signal: own.signal,
    go: (address) => { history.pushState(null, "", address); open(); },
  };
  const heading = h("h1", { tabindex: "-1" }, page.title(context));
  const place = h("div");
  document.title = `${heading.textContent} · Understudy`;
  show(main, heading, place);
  if (focus) heading.focus({ preventScroll: true });
  await run(page, place, context);
}

// A page's open() draws it and returns what draws it again, or null when it stands still.
async function run(page, place, context) {
  let step = () => page.open(place, context);
  while (!context.signal.aborted) {
    const next = await guarded(place, step);
    if (next === null) return;
    if (next) step = next;
    await pause(LIVE_SECONDS * 1000, context.signal);
  }
}

async function guarded(place, work) {
  const trouble = () => place.querySelector(":scope > .trouble");
  try {
    const result = await work();
    say("live");
    trouble()?.remove();
    return result;
  } catch (error) {
    if (error.name === "AbortError") return null;
    const message = error instanceof TypeError ? "The proxy cannot be reached; trying again." : error.message;
    say("not live");
    trouble()?.remove();
    place.prepend(h("p", { class: "note bad trouble", role: "alert" }, message));
    return undefined;
  }
}

function say(state) {
  if (live.textContent !== state) live.textContent = state;
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(wake, milliseconds);
    signal.addEventListener("abort", wake, { once: true });
    function wake() {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      if (!document.hidden) resolve();
      else document.addEventListener("visibilitychange", resolve, { once: true });
    }
  });
}

function mark(path) {
  for (const link of document.querySelectorAll(".top nav a")) {
    const own = link.getAttribute("href").slice(ROOT.length);
    const here = own ? path.startsWith(own) : path === "" || path === "/";
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/dashboard']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  scrollTo(0, 0);
  open({ focus: true });
});
addEventListener("popstate", () => open());
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
  open();
});
open();
