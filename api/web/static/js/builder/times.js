// Time to convert: between which steps, and into how many columns it is drawn.
import { el } from "../dom.js";
import { field, number, select, setter } from "./fields.js";
import { BINS, called } from "./question.js";

export function saidTimes({ times: { from, to, bins } }) {
  const between = from || to ? `step ${from ?? 1} to ${to ?? "the last"}` : null;
  return [between, bins !== BINS && `${bins} columns`].filter(Boolean).join(", ") || null;
}

export function times(board) {
  const { held } = board;
  const set = setter(board);
  const named = held.steps.map((one, index) => [index + 1, `${index + 1} ${called(one)}`]);
  const change = (what) => set({ times: { ...held.times, ...what } }, true);
  return el(
    "div",
    { class: "grid two top" },
    field(
      "From step",
      "time_to_convert.from",
      select("Time to convert, from step", [[null, "the first"], ...named.slice(1, -1)], held.times.from, (from) =>
        change({ from }),
      ),
    ),
    field(
      "To step",
      "time_to_convert.to",
      select("Time to convert, to step", [[null, "the last"], ...named.slice(1, -1)], held.times.to, (to) => change({ to })),
    ),
    field(
      "Columns",
      "time_to_convert.bins",
      number("Columns of the histogram", held.times.bins, (bins) => change({ bins: bins ?? BINS })),
    ),
  );
}
