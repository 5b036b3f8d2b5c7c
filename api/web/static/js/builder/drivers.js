// Which properties and other events go with converting: asked for by a button, since it reads more than the funnel does.
import { post } from "../api.js";
import { el } from "../dom.js";
import { count, decimal, duration, percent } from "../format.js";
import { failure, waiting } from "../states.js";
import { pValue, scrolled, stepSelect } from "./parts.js";
import { called } from "./question.js";

const LISTED = 15;

export function drivers(board) {
  const { held, question } = board.found;
  const required = held.steps
    .map((one, at) => [at + 1, `${at + 1} ${called(one)}`])
    .filter((_, at) => !held.steps[at].optional);
  let [from, to] = [required[0][0], required.at(-1)[0]];
  const place = el("div", { class: "drivers" });
  const find = async () => {
    place.replaceChildren(waiting("8rem"));
    place.setAttribute("aria-busy", "true");
    try {
      const body = { ...question, drivers: { from, to, limit: LISTED } };
      place.replaceChildren(...table(await post("funnel/drivers", body), board));
    } catch (error) {
      place.replaceChildren(failure(error));
    }
    place.removeAttribute("aria-busy");
  };
  return el(
    "section",
    { class: "card", "aria-labelledby": "drivers-title" },
    el(
      "header",
      {},
      el(
        "div",
        {},
        el("h2", { id: "drivers-title" }, "What goes with converting"),
        el(
          "p",
          {},
          "Properties and other events, found on one half of the units and confirmed on the other. No proof of a cause.",
        ),
      ),
      el(
        "div",
        { class: "line tight" },
        stepSelect("From step", required.slice(0, -1), from, (at) => {
          from = at;
        }),
        stepSelect("To step", required.slice(1), to, (at) => {
          to = at;
        }),
        el("button", { class: "button compact", type: "button", onclick: find }, "Find drivers"),
      ),
    ),
    el("div", { class: "body" }, place),
  );
}

function table(answer, board) {
  const told = (answer.warnings ?? []).map((text) => el("p", { class: "notice warn small" }, text));
  if (!answer.items.length) return [...told, el("p", { class: "quiet" }, "Nothing was seen often enough to compare.")];
  const heads = ["With it", "Without", "Lift", "Odds ratio (95%)", "p"];
  return [
    ...told,
    el(
      "p",
      { class: "small quiet figures" },
      `${count(answer.candidates)} candidates among ${count(answer.entrants)} units whose window is over. An event counts if it came in the first ${duration(answer.period_seconds)}.`,
    ),
    scrolled(
      "Drivers",
      "groups",
      ["Driver", ...heads],
      answer.items.map((one) => row(one, board)),
    ),
  ];
}

function row(one, board) {
  const { found } = one;
  const name = one.kind === "event" ? one.event : `${one.property} ${one.op === "is_set" ? "is set" : `= ${one.value}`}`;
  const [word, kind] = one.confirmed ? ["confirmed", "good"] : one.significant ? ["not confirmed", "warn"] : ["", ""];
  const split = () => {
    if (!board.held.by.includes(one.property)) board.held.by = [...board.held.by, one.property].slice(-3);
    board.changed({ shape: true });
  };
  const told = `Break down by ${one.property}`;
  const named =
    one.kind === "event"
      ? name
      : el(
          "button",
          { class: "link", type: "button", onclick: split, title: told, "aria-label": `${name}: ${told.toLowerCase()}` },
          name,
        );
  return el(
    "tr",
    {},
    el("th", { scope: "row", title: name }, word && [el("span", { class: `chip ${kind}` }, word), " "], named),
    share(found.with),
    share(found.without),
    [
      found.lift === null ? "–" : `${decimal(found.lift)}×`,
      found.odds_ratio === null
        ? "–"
        : `${decimal(found.odds_ratio)} (${decimal(found.interval[0])}–${decimal(found.interval[1])})`,
      pValue(one.p_corrected),
    ].map((text) => el("td", { class: "number" }, text)),
  );
}

function share({ conversion, converted, entrants }) {
  return el("td", { class: "number", title: `${count(converted)} of ${count(entrants)}` }, percent(conversion));
}
