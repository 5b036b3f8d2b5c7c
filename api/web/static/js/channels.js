// The funnel by channel: one row a channel, each step's share of the channel's own first step. Bars compare channels within a
// step: the longest is the best channel at that step, since one scale for all would flatten the later steps to nothing.
import { el } from "./dom.js";
import { count, percent, percentInterval, title, words } from "./format.js";
import { byPath } from "./funnel.js";

export function channelTable(answer) {
  const steps = answer.steps;
  const groups = [...(answer.groups ?? [])].sort((a, b) => Number(a.other) - Number(b.other) || b.entrants - a.entrants);
  const best = steps.map((_, index) => Math.max(...groups.map((group) => shareOf(group, index) ?? 0)));
  const heads = ["Channel", title(steps[0].label), ...steps.slice(1).map((step) => title(step.label)), "95% interval"];
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Funnel by channel" },
    el(
      "table",
      { class: "channels" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          heads.map((text, index) => el("th", { scope: "col", class: index === 0 ? null : "number" }, text)),
        ),
      ),
      el(
        "tbody",
        {},
        groups.map((group) => row(group, best)),
      ),
    ),
  );
}

function shareOf(group, index) {
  return group.entrants ? byPath(group.steps[index]) / group.entrants : null;
}

function row(group, best) {
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, group.other ? "all others" : words(group.values[0])),
    el("td", { class: "number" }, count(group.entrants)),
    group.steps.slice(1).map((step, index) => cell(byPath(step), shareOf(group, index + 1), best[index + 1])),
    el("td", { class: "number faint" }, percentInterval(group.interval)),
  );
}

function cell(units, share, best) {
  return el(
    "td",
    { class: "number" },
    el(
      "div",
      { class: "meter" },
      el("span", { class: "track", "aria-hidden": "true", style: { "--share": String(best ? share / best : 0) } }),
      el("span", { class: "units" }, count(units)),
      el("span", { class: "share" }, percent(share)),
    ),
  );
}
