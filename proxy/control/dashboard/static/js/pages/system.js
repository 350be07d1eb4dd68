// Whether everything runs: journal, database, engines, workers, configuration, what learns.

import { get } from "../api.js";
import { card, facts, h, show, table } from "../dom.js";
import { bytes, count, dollars, seconds, when } from "../format.js";

export const title = () => "System";

export async function open(place, { signal }) {
  const stats = await get("/stats", { window: "1h" }, signal);
  show(place, troubles(stats), h("div", { class: "grid" }, journal(stats), configuration(stats), learned(stats.learned), gatekeeper(stats.gatekeeper)),
    engines(stats.engines), workers(stats.config));
  return () => open(place, { signal });
}

function troubles({ database, lag, config, learned: router, gatekeeper: keeper, engines: found }) {
  const told = [
    database.status !== "ok" && `The database is away: ${database.error} Calls are served and kept in the journal.`,
    lag.shipper === "silent" && "The shipper does not report; calls are kept in the journal.",
    lag.lost > 0 && `${count(lag.lost)} records were lost: no disk would take them.`,
    lag.quarantined > 0 && `${count(lag.quarantined)} records were set aside: the database refuses them.`,
    config.error && `The configuration file as it stands is not in force: ${config.error}`,
    config.restart_needed?.length && `A restart is needed for ${config.restart_needed.join(", ")}.`,
    router.error && `What was learned is not wholly in force: ${router.error}`,
    keeper?.state === "silent" && "The gatekeeper does not report; understudies stay as they are.",
    keeper?.database_error && `The gatekeeper cannot use the database: ${keeper.database_error}`,
    ...servers(found).filter((server) => server.breaker !== "closed").map((server) => `${server.url} of engine ${server.engine} fails; its calls go elsewhere.`),
  ].filter(Boolean);
  if (!told.length) return h("p", { class: "note good", role: "status" }, "Everything runs.");
  return told.map((each) => h("p", { class: "note bad", role: "status" }, each));
}

function journal({ lag, database }) {
  return card("Journal and database", facts({
    database: database.status, shipper: lag.shipper, "waiting to be shipped": `${bytes(lag.bytes)} in ${count(lag.segments)} segments`,
    "oldest waiting": seconds(lag.oldest_seconds), shipped: count(lag.shipped), lost: count(lag.lost), quarantined: count(lag.quarantined), corrupt: count(lag.corrupt), torn: count(lag.torn),
    "last success": when(lag.last_success), "last error": lag.last_error,
  }));
}

function configuration({ config }) {
  return card("Configuration", facts({ version: config.version ?? "the workers disagree", loaded: when(config.loaded), error: config.error ?? "none" }));
}

function learned(router) {
  const states = Object.entries(router.deployments).map(([state, number]) => `${number} ${state}`).join(", ");
  return card("Learned router", facts({
    version: router.version || "nothing learned yet", router: router.router || "none", loaded: when(router.loaded), understudies: states || "none", error: router.error ?? "none",
  }));
}

function gatekeeper(keeper) {
  if (!keeper) return card("Gatekeeper", h("p", { class: "quiet" }, "It never ran here."));
  return card("Gatekeeper", facts({
    state: keeper.state, compared: count(keeper.compared), waiting: count(keeper.waiting), "requests today": count(keeper.requests_today), "dollars today": dollars(keeper.dollars_today),
    budget: keeper.budget || "not spent", servers: Object.values(keeper.servers).join("; ") || "all answer", database: keeper.database_error || "ok",
  }));
}

const servers = (found) => Object.entries(found).flatMap(([engine, each]) => each.servers.map((server) => ({ engine, ...server })));

function engines(found) {
  const load = (name, format = count) => ({ name, number: true, cell: (server) => format(server.load?.[name]) });
  return card("Engines", table({
    caption: "Servers of small models", rows: servers(found), empty: "No engine is configured.",
    columns: [
      { name: "engine", cell: (server) => server.engine },
      { name: "address", wide: true, cell: (server) => server.url },
      { name: "state", cell: (server) => h("span", { class: `badge ${server.breaker === "closed" ? "live" : "error"}` }, BREAKERS[server.breaker] ?? server.breaker) },
      { name: "in flight", number: true, cell: (server) => count(server.in_flight) },
      load("running"), load("waiting"),
    ],
  }));
}

const BREAKERS = { closed: "answers", half_open: "is tried again", open: "fails" };

function workers({ workers: all }) {
  return card("Workers", table({
    caption: "Worker processes of this proxy", rows: all, columns: [
      { name: "process", cell: (worker) => String(worker.pid) },
      { name: "configuration", cell: (worker) => worker.version },
      { name: "since", cell: (worker) => when(worker.loaded) },
    ],
  }));
}
