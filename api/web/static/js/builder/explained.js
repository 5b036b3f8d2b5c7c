// Why a person stands where they stand: their events in order, each with the step it served or the rule that kept it out.
import { el } from "../dom.js";
import { moment } from "../format.js";
import { called } from "./question.js";

/** The codes of the API in words; one that is not here is shown as it is. */
const REASONS = {};

export function explained(answer, held) {
  const events = answer.events ?? answer.items ?? [];
  const rows = events.map((event) => {
    const step = event.step ?? null;
    return el(
      "li",
      { class: step ? "served" : null },
      el("span", { class: "when figures" }, moment(event.time)),
      el("b", {}, event.event),
      step
        ? el("span", { class: "chip good" }, `step ${step} · ${called(held.steps[step - 1])}`)
        : el("span", { class: "small quiet" }, why(event)),
    );
  });
  return [
    el("p", { class: "line" }, el("span", { class: `chip ${answer.state === "converted" ? "good" : ""}` }, answer.state ?? "did not enter")),
    el("ol", { class: "story" }, rows),
  ];
}

function why({ reason }) {
  return reason ? (REASONS[reason] ?? reason.replaceAll("_", " ")) : "";
}
