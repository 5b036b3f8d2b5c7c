// The headline numbers: what a metric is now, how sure that is, and how it moved since the range before.
import { el } from "./dom.js";
import { decimal, compact, percent } from "./format.js";

const REASONS = {
  no_base: "No sign-ups to count from in this range.",
  immature: "Too early to say: no one’s time is up yet.",
  no_loss: "Nobody was lost in this range.",
};

export function tile({ name, question, value, more, change, reason, href }) {
  return el(
    "article",
    { class: "tile card" },
    el("h2", {}, name),
    el("p", { class: "value figures" }, value, change),
    el("p", { class: "small quiet figures" }, reason ? (REASONS[reason] ?? reason) : more),
    question && el("p", { class: "hidden-text" }, question),
    href,
  );
}

/** A metric's answer in words: `{value, more, change, reason}`. Ratios keep two places and their interval. `before`: when the
 * value it is compared with was. */
export function said(answer, before = "in the range before") {
  const ratio = answer.unit === "ratio" || answer.unit === "percent";
  const write = answer.unit === "percent" ? percent : ratio ? decimal : compact;
  const more = answer.interval
    ? `95% interval ${write(answer.interval[0])} to ${write(answer.interval[1])}`
    : answer.question;
  return {
    value: write(answer.value),
    more,
    reason: answer.value === null ? (answer.reason ?? "") : null,
    change: changed(answer, write, before),
  };
}

function changed({ previous, direction, value }, write, before) {
  const change = previous?.change;
  if (value === null || change === null || change === undefined) return null;
  return arrow(change, direction, `${write(Math.abs(change))}`, `${write(previous.value)} ${before}`);
}

/** An arrow that says which way, in the colour of whether that is good. */
export function arrow(change, direction, text, told) {
  const better = change === 0 ? "" : change > 0 === (direction !== "down") ? "good" : "bad";
  const sign = change > 0 ? "↑" : change < 0 ? "↓" : "→";
  return el(
    "span",
    { class: `change ${better}`, title: told },
    el("span", { "aria-hidden": "true" }, `${sign} `),
    text,
    el("span", { class: "hidden-text" }, `${change < 0 ? " less" : " more"}: ${told}`),
  );
}
