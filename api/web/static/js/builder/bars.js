// The funnel of an answer: a column a step, whose bar lists who reached it and whose gap lists who stopped before it.
import { el } from "../dom.js";
import { count, duration, percent, percentInterval } from "../format.js";
import { mature } from "../funnel.js";
import { scrolled } from "./parts.js";

const ONE_LINE = 16; // characters of a label that fit beside the others

/** `list(state, step, title, total)` shows people; `before`: an answer to compare with, or null; `names`: what units are called. */
export function bars(answer, { held, before, list, names }) {
  const start = answer.entrants;
  const share = (units) => (start ? units / start : 0);
  const items = answer.steps.map((one, index) => {
    const next = answer.steps[index + 1];
    const optional = held.steps[index]?.optional;
    const style = {
      "--path": String(share(one.reached)),
      "--any": String(share(one.reached + (next ? 0 : answer.pending))),
      "--next": String(next ? share(next.reached) : 0),
      "--then": String(before?.steps[index]?.from_start ?? 0),
    };
    return el(
      "li",
      { class: "step", style },
      head(one, index),
      column(answer, index, { list, before, names }),
      foot(answer, index, { list, before, names, optional }),
    );
  });
  const long = answer.steps.some(({ label }) => label.length > ONE_LINE);
  return el("ol", { class: `funnel built${long ? " long" : ""}`, "aria-label": `Funnel of ${names}` }, items);
}

function head(one, index) {
  return el(
    "div",
    { class: "head" },
    el(
      "p",
      { class: "name", title: one.label },
      el("span", { class: "place" }, String(index + 1)),
      el("span", { class: "label" }, one.label),
    ),
    el("p", { class: "total figures" }, count(one.reached)),
  );
}

function column(answer, index, { list, before, names }) {
  const [one, next] = [answer.steps[index], answer.steps[index + 1]];
  const last = !next;
  const reached = `${count(one.reached)} ${names} reached ${one.label}`;
  return el(
    "div",
    { class: "bars" },
    el(
      "div",
      { class: "column" },
      index > 0 && gap(answer.steps[index - 1], index, { list, names }),
      last && answer.pending > 0 && el("div", { class: "any", title: `${count(answer.pending)} still have time` }),
      before && el("i", { class: "then", "aria-hidden": "true" }),
      el("button", {
        class: "path",
        type: "button",
        "aria-label": `${reached}: list them`,
        title: `${reached}: list them`,
        disabled: !one.reached,
        onclick: () => list({ state: "reached", step: index + 1 }, reached, one.reached),
      }),
    ),
    next &&
      el(
        "div",
        { class: "flow", "aria-hidden": "true" },
        el("span", { class: "rate figures" }, percent(next.from_previous)),
      ),
  );
}

function gap(before, step, { list, names }) {
  const told = `${count(before.dropped)} ${names} stopped after ${before.label}`;
  return el("button", {
    class: "gap",
    type: "button",
    tabindex: "-1", // the same list is behind "stopped here", which the keyboard reaches
    "aria-label": `${told}: list them`,
    title: `${told}: list them`,
    onclick: () => before.dropped && list({ state: "dropped", step }, told, before.dropped),
  });
}

function foot(answer, index, { list, before, names, optional }) {
  const one = answer.steps[index];
  const told = `${count(one.dropped)} ${names} stopped after ${one.label}`;
  const show = () => list({ state: "dropped", step: index + 1 }, told, one.dropped);
  return el(
    "dl",
    { class: "foot figures" },
    index > 0 &&
      fact(optional ? "took it (optional)" : "of all who entered", percent(one.from_start), percentInterval(one.interval)),
    before && fact("compared", moved(answer, before, index)),
    one.seconds_from_previous && fact("median from previous", duration(one.seconds_from_previous.median)),
    one.dropped > 0 &&
      fact(
        "stopped here",
        el(
          "button",
          { class: "link", type: "button", onclick: show, "aria-label": `${told}: list them` },
          count(one.dropped),
        ),
        percent(one.dropped / answer.entrants),
      ),
  );
}

/** The first step is compared by how many, the others by their share of all who entered, in points. */
function moved(answer, before, index) {
  const [now, then] = [answer.steps[index], before.steps[index]];
  if (!then || !before.entrants) return el("span", { class: "faint" }, "nobody entered then");
  const by = index === 0 ? now.reached / then.reached - 1 : now.from_start - then.from_start;
  const sign = by > 0 ? "↑" : by < 0 ? "↓" : "→";
  const text = index === 0 ? percent(Math.abs(by)) : `${(Math.abs(by) * 100).toFixed(1)} points`;
  const was = index === 0 ? count(then.reached) : percent(then.from_start);
  return el("span", { class: by > 0 ? "good" : by < 0 ? "bad" : "quiet", title: `${was} then` }, `${sign} ${text}`);
}

function fact(name, value, more = "") {
  return el(
    "div",
    {},
    el("dt", {}, name),
    el("dd", {}, el("b", {}, value), more && [" ", el("span", { class: "faint" }, more)]),
  );
}

const STATES = [
  ["converted", "converted"],
  ["pending", "still have time"],
  ["excluded", "excluded"],
  ["lost", "lost"],
];

/** Every entrant is in exactly one state; each is a button that lists who. */
export function states(answer, { list, names }) {
  const shown = STATES.filter(([name]) => name !== "excluded" || answer.excluded);
  return el(
    "div",
    { class: "states" },
    el(
      "div",
      { class: "stack", "aria-hidden": "true" },
      shown
        .filter(([name]) => answer[name])
        .map(([name]) => el("span", { class: name, style: { "flex-grow": String(answer[name]) } })),
    ),
    el(
      "ul",
      { class: "legend figures" },
      shown.map(([name, label]) => {
        const told = `${count(answer[name])} ${names}: ${label}`;
        return el(
          "li",
          {},
          el("i", { class: name }),
          el(
            "button",
            {
              class: "link",
              type: "button",
              disabled: !answer[name],
              onclick: () => list({ state: name }, told, answer[name]),
              "aria-label": `${told}: list them`,
            },
            count(answer[name]),
          ),
          ` ${label}`,
        );
      }),
    ),
    mature(answer),
  );
}

/** What the picture cannot say, and what a screen reader reads. */
export function table(answer) {
  const heads = [
    "Step",
    "Reached",
    "Of first",
    "95% interval",
    "Of previous",
    "Dropped",
    "Median",
    "90th percentile",
    "Mean",
  ];
  const rows = answer.steps.map((one) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, one.label),
      [
        count(one.reached),
        percent(one.from_start),
        percentInterval(one.interval),
        percent(one.from_previous),
        count(one.dropped),
        duration(one.seconds_from_previous?.median),
        duration(one.seconds_from_previous?.p90),
        duration(one.seconds_from_previous?.mean),
      ].map((text) => el("td", { class: "number" }, text)),
    ),
  );
  return el(
    "details",
    { class: "numbers" },
    el("summary", {}, "All numbers as a table"),
    scrolled("Funnel as a table", "steps", heads, rows),
  );
}
