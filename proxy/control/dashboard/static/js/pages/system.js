// Whether everything runs: journal, database, engines, workers, configuration.

import { get } from "../api.js";
import { card, facts, h, show, table } from "../dom.js";
import { bytes, count, seconds, when } from "../format.js";

export const title = () => "System";

export async function open(place, { signal }) {
  const stats = await get("/stats", { window: "1h" }, signal);
  show(place, troubles(stats), h("div", { class: "grid" }, journal(stats), configuration(stats), learned(stats.learned), engines(stats.engines)), workers(stats.config));
  return () => open(place, { signal });
}

function troubles({ database, lag, config }) {
  const found = [
    database.status !== "ok" && `The database is away: ${database.error} Calls are served and kept in the journal.`,
    lag.shipper === "silent" && "The shipper does not report; calls are kept in the journal.",
    lag.lost > 0 && `${count(lag.lost)} records were lost: no disk would take them.`,
    lag.quarantined > 0 && `${count(lag.quarantined)} records were set aside: the database refuses them.`,
    config.error && `The configuration file as it stands is not in force: ${config.error}`,
    config.restart_needed?.length && `A restart is needed for ${config.restart_needed.join(", ")}.`,
  ].filter(Boolean);
  if (!found.length) return h("p", { class: "note good", role: "status" }, "Everything runs.");
  return found.map((each) => h("p", { class: "note bad", role: "status" }, each));
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
  if (!router) return null;
  return card("Learned router", facts({ version: router.version || "nothing learned yet", loaded: when(router.loaded || null), deployments: String(router.deployments ?? "–"), error: router.error ?? "none" }));
}

function engines(found) {
  if (!found) return null;
  const columns = [
    { name: "engine", cell: (engine) => engine.name },
    { name: "kind", cell: (engine) => engine.kind },
    { name: "address", wide: true, cell: (engine) => engine.url },
    { name: "state", cell: (engine) => engine.state },
    { name: "in flight", number: true, cell: (engine) => count(engine.in_flight) },
  ];
  return card("Engines", table({ caption: "Servers of small models", columns, rows: found, empty: "No engine is configured." }));
}

function workers({ workers: all }) {
  return card("Workers", table({
    caption: "Worker processes of this proxy", rows: all, columns: [
      { name: "process", number: true, cell: (worker) => String(worker.pid) },
      { name: "configuration", cell: (worker) => worker.version },
      { name: "since", cell: (worker) => when(worker.loaded) },
    ],
  }));
}
