// The range of dates that a page is about: whole days of the project's reporting zone, `to` not included.
import { choices } from "./choices.js";
import { el } from "./dom.js";
import { currentZone } from "./format.js";

const DAY = 86400000;
const PRESETS = [
  ["30d", "30 days"],
  ["90d", "90 days"],
  ["all", "All time"],
  ["custom", "Custom"],
];
const YEAR = 366;

function today(now) {
  return new Intl.DateTimeFormat("en-CA", { timeZone: currentZone(), dateStyle: "short" }).format(new Date(now));
}

export function shift(date, days) {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY).toISOString().slice(0, 10);
}

/** `{from, to, grain}` for what the address says; "all" leaves `from` and `to` to the server: first event to last. */
export function rangeOf(query, now) {
  const end = shift(today(now), 1);
  if (query.range === "all") return { from: null, to: null, grain: "week" };
  if (query.range === "custom" && query.from && query.to) {
    const days = (Date.parse(query.to) - Date.parse(query.from)) / DAY;
    return { from: query.from, to: query.to, grain: days > YEAR ? "month" : "week" };
  }
  return { from: shift(end, query.range === "30d" ? -30 : -90), to: end, grain: "week" };
}

/** Buttons for the usual ranges and two date fields for any other; `choose` gets the address' new query. */
export function rangePicker(query, now, choose) {
  const current = query.range ?? "90d";
  const { from, to } = rangeOf({ ...query, range: current === "all" ? "90d" : current }, now);
  const first = dateField("From", from);
  const last = dateField("To", shift(to, -1));
  const apply = (event) => {
    event.preventDefault();
    if (first.input.value && last.input.value >= first.input.value) {
      choose({ range: "custom", from: first.input.value, to: shift(last.input.value, 1) });
    }
  };
  const form = el(
    "form",
    { class: "dates", onsubmit: apply, hidden: current !== "custom" },
    first.label,
    last.label,
    el("button", { class: "button compact" }, "Apply"),
  );
  const buttons = choices("Range of dates", PRESETS, current, (value) => {
    form.hidden = value !== "custom";
    if (value === "custom") first.input.focus();
    else choose({ range: value, from: null, to: null });
  });
  return el("div", { class: "range" }, buttons, form);
}

function dateField(name, value) {
  const input = el("input", { class: "input", type: "date", required: true, value });
  return { input, label: el("label", {}, el("span", { class: "hidden-text" }, name), input) };
}
