// How it counts: order, ties, re-entry and the rest of the definition, and other products' rules.
import { el } from "../dom.js";
import { properties } from "./breakdown.js";
import { field, select, setter, span } from "./fields.js";
import { picker } from "./picker.js";
import { local } from "./question.js";

const ORDER = [
  ["sequential", "One after the other"],
  ["strict", "With no other event between"],
  ["any", "In any order"],
];
const TIES = [
  ["in_order", "In step order"],
  ["strict", "Later means later"],
  ["tolerance", "May precede by at most…"],
];
const REENTRY = [
  ["any", "At any entry"],
  ["first", "At the first entry only"],
];
const WITNESS = [
  ["earliest", "The earliest way"],
  ["shortest", "The shortest way"],
];
const COUNT = [
  ["units", "Each once"],
  ["attempts", "Every attempt"],
];
const INTERNAL = [
  ["exclude", "Left out"],
  ["include", "Included"],
];
const PRESET = [
  [null, "jcurve: exact"],
  ["posthog", "as PostHog counts"],
  ["mixpanel", "as Mixpanel counts"],
  ["amplitude", "as Amplitude counts"],
  ["clickhouse", "as ClickHouse counts"],
  ["clickhouse:strict_once", "as ClickHouse, strict_once"],
  ["clickhouse:strict_deduplication", "as ClickHouse, strict_deduplication"],
  ["umami", "as Umami counts"],
  ["openpanel", "as OpenPanel counts"],
];

const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];

const COUNTING = ["order", "ties", "reentry", "witness", "count", "internal", "preset", "as_of"];
const USUAL = {
  order: "sequential",
  ties: "in_order",
  reentry: "any",
  witness: "earliest",
  count: "units",
  internal: "exclude",
  preset: null,
  as_of: null,
};

export function changedRules(held) {
  const other = COUNTING.filter((name) => held[name] !== USUAL[name]).length + (held.hold.length > 0 ? 1 : 0);
  return other ? `${other} changed` : null;
}

export function counting(board) {
  const { held } = board;
  const set = setter(board);
  const tolerant = !["in_order", "strict"].includes(held.ties);
  const one = (label, name, options) =>
    field(
      label,
      name,
      select(label, options, held[name], (value) => set({ [name]: value })),
    );
  return [
    el(
      "div",
      { class: "grid two top" },
      one("Order of the steps", "order", ORDER),
      field(
        "At the same instant",
        "ties",
        select("At the same instant", TIES, tolerant ? "tolerance" : held.ties, (ties) =>
          set({ ties: ties === "tolerance" ? "2s" : ties }, true),
        ),
        tolerant && span("Tolerance", held.ties, (ties) => set({ ties: ties ?? "2s" }, !ties)),
      ),
      one("May begin", "reentry", REENTRY),
      one("Times are those of", "witness", WITNESS),
      one("Count", "count", COUNT),
      one("Internal traffic", "internal", INTERNAL),
      one("Rules", "preset", PRESET),
    ),
    el("p", { class: "small quiet" }, "Held constant: all events of a way through have the same value of"),
    properties("hold", "hold", board, { most: 8, add: "property" }),
    el(
      "div",
      { class: "grid" },
      field(
        "Days are those of",
        "timezone",
        picker({
          label: "Time zone",
          value: held.timezone,
          options: () => ZONES.map((value) => ({ value })),
          choose: (timezone) => set({ timezone: timezone || "UTC" }, true),
        }),
      ),
      field(
        "As known at",
        "as_of",
        el("input", {
          class: "input",
          type: "datetime-local",
          "aria-label": "As known at",
          title: "Events after this moment do not count; empty: all that is complete",
          value: held.as_of ? local(held.as_of, held.timezone) : "",
          onchange: ({ target }) => set({ as_of: target.value || null }, true),
        }),
      ),
    ),
  ];
}
