// The tracking plan: which rules were broken, how often, with an example; and which events the plan does not name.
import { el } from "./dom.js";
import { count, moment } from "./format.js";

export function plan({ items, events, faults, not_in_plan: others }) {
  if (!events.length && !faults.length) {
    return el("p", { class: "body quiet" }, "There is no plan: put JSON Schemas of events into plan/ of the definitions.");
  }
  return el(
    "div",
    {},
    faults.map((fault) => el("p", { class: "body small" }, el("span", { class: "chip bad" }, "fault"), ` ${fault}`)),
    items.length ? table(items) : el("p", { class: "body quiet" }, "Nothing broke the plan."),
    others.length > 0 &&
      el("p", { class: "body small quiet" }, `Not in the plan: ${others.slice(0, 20).map((row) => row.event).join(", ")}`),
  );
}

function table(items) {
  const head = ["Event", "Rule", "Events", "Source", "Last", ""];
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      { class: "plan" },
      el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, items.map(line)),
    ),
  );
}

function line(row) {
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, row.event),
    el("td", { class: "small clip", title: row.found ?? row.raw ?? "" }, row.rule),
    el("td", { class: "figures" }, count(row.events)),
    el("td", {}, row.source),
    el("td", { class: "small" }, moment(row.last)),
    el("td", {}, el("span", { class: row.outcome === "rejected" ? "chip bad" : "chip warn" }, row.outcome)),
  );
}
