// Groups: the properties whose values are told apart, and whose value counts.
import { el } from "../dom.js";
import { adder, field, iconButton, number, select, setter } from "./fields.js";
import { picker } from "./picker.js";

export function breakdown(board) {
  const { held } = board;
  const set = setter(board);
  const steps = held.steps.map((one, index) => [index + 1, `At step ${index + 1}`]);
  const touch = [
    ["first", "First on the way"],
    ["last", "Last on the way"],
    ["all", "Every value (overlap)"],
  ];
  return [
    properties("by", "breakdown.by", board, { most: 3, add: "property" }),
    held.by.length > 0 &&
      el(
        "div",
        { class: "grid two" },
        field(
          "Whose value counts",
          "breakdown.attribution",
          select(
            "Whose value counts",
            [...touch, ...steps.filter((_, at) => !held.steps[at].optional)],
            held.attribution,
            (attribution) => set({ attribution }),
          ),
        ),
        field(
          "Largest groups",
          "breakdown.limit",
          number("Largest groups", held.limit, (limit) => set({ limit: limit ?? 25 }, !limit)),
        ),
      ),
  ];
}

/** A list of properties, as of `by` and `hold`. */
export function properties(name, path, board, { most, add }) {
  const list = board.held[name];
  const again = () => board.changed({ shape: true });
  return el(
    "div",
    { class: "filters", "data-path": path },
    list.map((value, index) =>
      el(
        "div",
        { class: "choice", "data-path": `${path}[${index}]` },
        picker({
          label: "Property",
          value,
          placeholder: "property",
          options: () => board.properties(),
          choose: (text) => {
            list[index] = text; // an empty one stands until it is removed, and is not asked for
            again();
          },
        }),
        iconButton(`Remove ${value || "it"}`, "×", () => {
          list.splice(index, 1);
          again();
        }),
      ),
    ),
    list.length < most &&
      adder(add, () => {
        list.push("");
        board.changed({ shape: true, focus: `[data-path="${path}[${list.length - 1}]"] input` });
      }),
  );
}
