// What is asked besides the steps: range, window and unit at hand; filters, groups, exclusions and the rest folded away.
import { el } from "../dom.js";
import { breakdown } from "./breakdown.js";
import { cohorts } from "./cohorts.js";
import { changedRules, counting } from "./counting.js";
import { exclusions } from "./exclusions.js";
import { filters } from "./filters.js";
import { saidTimes, times } from "./times.js";
import { basics, compare, comparison } from "./when.js";

export function rules(board) {
  return el(
    "section",
    { class: "card editor", "aria-labelledby": "rules-title" },
    el("header", {}, el("h2", { id: "rules-title" }, "Rules")),
    el("div", { class: "body" }, basics(board)),
    fold("Filters for all steps", board.held.where.length, "where", board, () =>
      filters(board.held.where, { path: "where", board }),
    ),
    fold("Breakdown", board.held.by.join(", "), "breakdown", board, () => breakdown(board)),
    fold("Compare", comparison(board.held), "compare", board, () => compare(board)),
    fold("Exclusions", board.held.exclude.length, "exclude", board, () => exclusions(board)),
    fold("Cohorts", board.held.cohorts.length, "cohorts", board, () => cohorts(board)),
    board.held.steps.length > 1 && fold("Time to convert", saidTimes(board.held), "time_to_convert", board, () => times(board)),
    fold("How it counts", changedRules(board.held), "count", board, () => counting(board)),
  );
}

function fold(title, said, name, board, content) {
  const open = board.isOpen(name) ?? false;
  return el(
    "details",
    { class: "fold", "data-path": name, open, ontoggle: (event) => board.open(name, event.target.open) },
    el("summary", {}, title, said ? el("span", { class: "chip good" }, String(said)) : null),
    el("div", { class: "body" }, content()),
  );
}
