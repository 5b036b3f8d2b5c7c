// The funnel itself: a list of steps, each a bar as high as the share that reached it, joined by the flow to the next.
import { el } from "./dom.js";
import { count, duration, percent, percentInterval, title } from "./format.js";

/** Units that came through all steps before; `reached` also counts those who came any other way. */
export const byPath = (step) => step.by_path ?? step.reached;

export function funnelFigure(answer, unit) {
  const start = byPath(answer.steps[0]);
  const share = (units) => String(start ? units / start : 0);
  const items = answer.steps.map((step, index) => {
    const next = answer.steps[index + 1];
    return el(
      "li",
      {
        class: "step",
        style: { "--path": share(byPath(step)), "--any": share(step.reached), "--next": next ? share(byPath(next)) : "0" },
      },
      head(step, index),
      bar(next),
      foot(step, start, !next),
    );
  });
  return el("ol", { class: "funnel", "aria-label": `Funnel of ${unit === "account" ? "accounts" : "people"}` }, items);
}

function head(step, index) {
  return el(
    "div",
    { class: "head" },
    el("p", { class: "name" }, el("span", { class: "place" }, String(index + 1)), title(step.label)),
    el("p", { class: "total figures" }, count(byPath(step))),
  );
}

function bar(next) {
  const flow = next && el("div", { class: "flow" }, el("span", { class: "rate figures" }, percent(next.from_previous)));
  return el(
    "div",
    { class: "bars", "aria-hidden": "true" },
    el("div", { class: "column" }, el("div", { class: "any" }), el("div", { class: "path" })),
    flow,
  );
}

function foot(step, start, last) {
  const other = step.reached - byPath(step);
  const first = step.from_previous === null && step.seconds_from_previous === null;
  return el(
    "dl",
    { class: "foot figures" },
    !first && fact("of all who entered", percent(step.from_start), percentInterval(step.interval)),
    !first && fact("median from previous", duration(step.seconds_from_previous?.median)),
    !last && fact("stopped here", count(step.dropped), percent(step.dropped / start)),
    other > 0 && fact("any other way", `+${count(other)}`),
  );
}

function fact(name, value, more = "") {
  return el(
    "div",
    {},
    el("dt", {}, name),
    el("dd", {}, el("b", {}, value), more && [" ", el("span", { class: "faint" }, more)]),
  );
}

/** The same numbers as a table: what the picture cannot say, and what a screen reader reads. */
export function funnelTable(answer) {
  const heads = [
    "Step",
    "By path",
    "Any way",
    "Of first",
    "Of previous",
    "95% interval",
    "Median time",
    "90th percentile",
    "Dropped",
  ];
  const rows = answer.steps.map((step) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, title(step.label)),
      [
        count(byPath(step)),
        count(step.reached),
        percent(step.from_start),
        percent(step.from_previous),
        percentInterval(step.interval),
        duration(step.seconds_from_previous?.median),
        duration(step.seconds_from_previous?.p90),
        count(step.dropped),
      ].map((text) => el("td", { class: "number" }, text)),
    ),
  );
  const table = el(
    "table",
    { class: "steps" },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        heads.map((text, index) => el("th", { scope: "col", class: index ? "number" : null }, text)),
      ),
    ),
    el("tbody", {}, rows),
  );
  return el(
    "details",
    { class: "numbers" },
    el("summary", {}, "All numbers as a table"),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Funnel as a table" }, table),
  );
}

const STATES = [
  ["converted", "converted"],
  ["pending", "still have time"],
  ["excluded", "excluded"],
  ["lost", "lost"],
];

/** Every entrant is in exactly one state; they add up to the entrants. */
export function stateBar(answer) {
  const present = STATES.filter(([name]) => answer[name]);
  return el(
    "div",
    { class: "states" },
    el(
      "div",
      { class: "stack", "aria-hidden": "true" },
      present.map(([name]) => el("span", { class: name, style: { "flex-grow": String(answer[name]) } })),
    ),
    el(
      "ul",
      { class: "legend figures" },
      STATES.filter(([name]) => name !== "excluded" || answer.excluded).map(([name, label]) =>
        el("li", {}, el("i", { class: name }), el("b", {}, count(answer[name])), ` ${label}`),
      ),
    ),
    mature(answer),
  );
}

/** The figures of those whose window has passed; null where none has. */
export function mature({ mature: aged }) {
  if (aged?.conversion === null || aged?.conversion === undefined) return null;
  return el(
    "p",
    { class: "small quiet figures" },
    "Of those whose time is up, ",
    el("b", {}, percent(aged.conversion)),
    ` converted (${count(aged.converted)} of ${count(aged.entrants)}).`,
  );
}

export function isEmpty(answer) {
  return !answer.steps.length || !answer.steps[0].reached;
}
