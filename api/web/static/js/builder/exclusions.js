// Exclusions: events that end a way through between two of its steps.
import { el } from "../dom.js";
import { adder, field, nest, select } from "./fields.js";
import { filters } from "./filters.js";
import { called, choice } from "./question.js";
import { choices, or } from "./steps.js";

export function exclusions(board) {
  const { held } = board;
  const required = held.steps
    .map((one, index) => [index + 1, `${index + 1} ${called(one)}`])
    .filter(([at]) => !held.steps[at - 1].optional);
  const list = held.exclude;
  return [
    el("p", { class: "small quiet" }, "Whoever meets one of these between two steps gets no further that way."),
    list.map((one, index) => {
      const path = `exclude[${index}]`;
      const side = (name, label, options) =>
        field(
          label,
          `${path}.${name}`,
          select(`${label}, exclusion ${index + 1}`, options, one[name], (at) => {
            one[name] = at;
            board.changed();
          }),
        );
      return nest(
        path,
        el("span", { class: "small quiet" }, "Excluded event"),
        "Remove the exclusion",
        () => {
          list.splice(index, 1);
          board.changed({ shape: true });
        },
        choices(one, { path, place: `Exclusion ${index + 1}`, board }),
        filters(one.where, { path: `${path}.where`, board, more: or(one, { path, board }) }),
        el(
          "div",
          { class: "grid two" },
          side("after", "After step", [[null, "the first"], ...required.slice(0, -1)]),
          side("before", "Before step", [[null, "the last"], ...required.slice(1)]),
        ),
      );
    }),
    adder("exclusion", () => {
      list.push({ choices: [choice()], where: [], after: null, before: null });
      board.changed({ shape: true, focus: `[data-path="exclude[${list.length - 1}].event"] input` });
    }),
  ];
}
