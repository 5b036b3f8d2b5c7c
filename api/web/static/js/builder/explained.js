// Why a unit stands where it stands: its events in order, each with the step it served or the rule that kept it out.
import { el } from "../dom.js";
import { moment } from "../format.js";
import { address } from "../router.js";
import { called } from "./question.js";

const FOLDED = 4; // events kept out by one rule in a row, from which on they are folded

/** The API's codes in words (its documentation says each in full); one that is not here is shown as it is. */
const CODES = {
  bot: "a bot’s",
  internal: "internal traffic",
  after_as_of: "later than the data is complete",
  no_step: "no step has its name",
  filtered: "the filters say no",
  not_first_ever: "not their first ever",
  no_held_value: "a property held constant is missing",
  before_range: "before the range",
  no_entry: "nothing began in the range",
  after_range: "after the range, where nothing begins any more",
  ended_it: "excluded: it ended the way",
  not_between: "excluded, but not between its steps",
  other_held_value: "another value of what is held constant",
  not_first_entry: "not the first entry",
  other_entry: "an entry, but another one counts",
  before_entry: "before the entry",
  after_window: "after the window",
  step_taken: "its step is served by another event",
  out_of_order: "its step comes after one not reached",
  before_previous: "before the step before its own",
  after_next: "after the step after its own",
  not_later: "at the instant of the step before, not later",
  after_exclusion: "after an exclusion had ended the way",
  after_within: "too long after the step before",
  not_adjacent: "another event lies between",
  not_chosen: "no better than the way that counts",
};
const STATES = {
  converted: ["converted", "good"],
  pending: ["still has time", ""],
  excluded: ["excluded", "warn"],
  lost: ["lost", ""],
};

export function explained(answer, held) {
  const cases = answer.cases.map((one, at) => {
    const [words, kind] = STATES[one.state];
    const which = answer.cases.length > 1 ? `attempt ${at + 1}: ` : "";
    return el("span", { class: `chip ${kind}` }, `${which}${words}, entered ${moment(one.entered)}`);
  });
  return [
    el(
      "p",
      { class: "line tight" },
      cases.length ? cases : el("span", { class: "chip" }, "did not enter"),
      held.unit === "person" && el("a", { class: "small", href: address("people", [answer.unit]) }, "Open the profile"),
    ),
    answer.items.length
      ? el(
          "ol",
          { class: "story" },
          runs(answer.items).map((run) => (run.length < FOLDED ? run.map((one) => told(one, held)) : folded(run, held))),
        )
      : el("p", { class: "quiet" }, "No event of theirs has a name that the question knows."),
  ];
}

/** Neighbours that the same rule kept out, together: what served a step stands alone. */
function runs(events) {
  const found = [];
  for (const event of events) {
    const last = found.at(-1);
    if (last && last[0].code === event.code && event.code !== "served") last.push(event);
    else found.push([event]);
  }
  return found;
}

/** A long run, folded: how many, of which names, why. */
function folded(run, held) {
  const names = [...new Set(run.map(({ name }) => name))];
  const listed = names.length > 3 ? `${names.slice(0, 3).join(", ")}, …` : names.join(", ");
  return el(
    "li",
    { class: "run-of", "data-code": run[0].code },
    el("span", { class: "when figures" }, moment(run[0].time)),
    el(
      "details",
      {},
      el(
        "summary",
        {},
        el("b", {}, `${run.length} events`),
        ` · ${listed}`,
        el("br"),
        el("span", { class: "small quiet" }, words(run[0].code)),
      ),
      el(
        "ol",
        { class: "story" },
        run.map((one) => told(one, held)),
      ),
    ),
  );
}

const words = (code) => CODES[code] ?? code.replaceAll("_", " ");

function told(event, held) {
  const served = event.code === "served";
  const attempt = event.case ? `attempt ${event.case}, ` : "";
  return el(
    "li",
    { class: served ? "served" : null, "data-code": event.code },
    el("span", { class: "when figures" }, moment(event.time)),
    el("b", {}, event.name),
    served
      ? el("span", { class: "chip good" }, `${attempt}step ${event.step} · ${called(held.steps[event.step - 1])}`)
      : el("span", { class: "small quiet" }, words(event.code)),
  );
}
