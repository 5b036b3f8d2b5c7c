// The vital signs of ingestion, from `GET /api/status`.
import { el } from "./dom.js";
import { ago, bytes, count, duration, moment, share, words } from "./format.js";
import { tile } from "./metrics.js";

const GOOD = ["ok", "done"];

export function vitals(status) {
  const { received, lag, disk, now } = status;
  return [
    tile({ name: "Received, last hour", value: count(received.last_hour), more: `${count(received.total)} in all` }),
    tile({
      name: "Answer to lake",
      value: duration(lag.log_to_lake_seconds),
      more: lag.lake_to_build_seconds == null ? "not built yet" : `last build ${duration(lag.lake_to_build_seconds)} behind`,
    }),
    tile({
      name: "Complete until",
      value: status.complete_until ? ago(status.complete_until, now) : "–",
      more: heldBack(status),
    }),
    tile({
      name: "Disk",
      value: bytes(disk.data_bytes),
      more: el("span", {}, `${bytes(disk.free_bytes)} free `, disk.low && el("span", { class: "chip bad" }, "running low")),
    }),
  ];
}

function heldBack(status) {
  if (!status.held_back_by) return status.complete_until ? moment(status.complete_until) : "nothing received yet";
  return el("span", { class: "chip warn" }, `held back by ${status.held_back_by}`);
}

export function outcomes(counts) {
  const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
  const total = rows.reduce((sum, [, units]) => sum + units, 0);
  if (!total) return el("p", { class: "body quiet" }, "Nothing received yet.");
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      { class: "outcomes" },
      el(
        "thead",
        { class: "hidden-text" },
        el(
          "tr",
          {},
          ["Outcome", "Events", "Share"].map((text) => el("th", { scope: "col" }, text)),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map(([name, units]) =>
          el(
            "tr",
            {},
            el(
              "th",
              { scope: "row" },
              el("i", { class: `dot ${kind(name)}`, "aria-hidden": "true" }),
              words(name).replace(":", ": "),
            ),
            el("td", { class: "number" }, count(units)),
            el("td", { class: "number faint" }, share(units / total)),
          ),
        ),
      ),
    ),
  );
}

function kind(name) {
  return name.startsWith("rejected") ? "bad" : ["duplicate", "no_consent"].includes(name) ? "warn" : "good";
}

export function runs({ runs: list, now }) {
  if (!list.length)
    return el(
      "p",
      { class: "body quiet" },
      "No run yet. Builds run every hour; ",
      el("code", {}, "jcurve build"),
      " runs one now.",
    );
  const heads = ["Job", "Started", "Took", "Status", "Rows"];
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" },
    el(
      "table",
      { class: "runs" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          heads.map((text, index) => el("th", { scope: "col", class: index === 2 || index === 4 ? "number" : null }, text)),
        ),
      ),
      el(
        "tbody",
        {},
        list.map((run) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, words(run.job)),
            el("td", { title: moment(run.started) }, ago(run.started, now)),
            el("td", { class: "number" }, duration(run.seconds)),
            el(
              "td",
              {},
              el(
                "span",
                { class: `chip ${run.error ? "bad" : GOOD.includes(run.status) ? "good" : ""}` },
                words(run.status),
              ),
              run.error && el("p", { class: "small bad fault" }, run.error),
            ),
            el("td", { class: "number" }, count(run.rows)),
          ),
        ),
      ),
    ),
  );
}
