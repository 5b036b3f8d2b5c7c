// When: the range of entries, the window, who is counted, and the range that a result is compared with.
import { el } from "../dom.js";
import { shift } from "../range.js";
import { field, select, setter, span } from "./fields.js";
import { daysOf, rangeOf } from "./question.js";

const LAST = [
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["90d", "Last 90 days"],
  ["365d", "Last 365 days"],
  [null, "Between two days"],
];
const UNIT = [
  ["person", "People"],
  ["account", "Accounts"],
  ["session", "Sessions"],
];
const TREND = [
  [null, "No trend"],
  ["day", "By day"],
  ["week", "By week"],
  ["month", "By month"],
];

export function basics(board) {
  return [range(board), counted(board)];
}

function range(board) {
  const { held, now } = board;
  const set = setter(board);
  const choose = (last) => set(last ? { last, from: null, to: null } : { last: null, ...rangeOf(held, now) }, true);
  const listed = LAST.some(([value]) => value === held.last);
  const options = listed ? LAST : [[held.last, `Last ${daysOf(held.last)} days`], ...LAST];
  return el(
    "div",
    { class: "grid two" },
    field("Entered", "from", select("Entered", options, held.last, choose)),
    field(
      "Trend",
      "trend",
      select("Trend", TREND, held.trend, (trend) => set({ trend })),
    ),
    !held.last && dates(held, "from", set),
    !held.last && dates(held, "to", set),
  );
}

/** The last day is chosen with it included; a request's `to` is not. */
function dates(held, name, set) {
  const [label, own, back] = name === "from" ? ["First day", "from", 0] : ["Last day", "to", 1];
  const value = held[own] ? shift(held[own].slice(0, 10), -back) : "";
  const choose = ({ target }) => target.value && set({ [own]: shift(target.value, back) });
  return field(
    label,
    back ? "to" : null,
    el("input", { class: "input", type: "date", value, "aria-label": label, onchange: choose }),
  );
}

function counted(board) {
  const { held } = board;
  const set = setter(board);
  return el(
    "div",
    { class: "grid two" },
    field(
      "All steps within",
      "window",
      span("Window", held.window, (window) => set({ window: window ?? "14d" }, !window)),
    ),
    field(
      "Who is counted",
      "unit",
      select("Who is counted", UNIT, held.unit, (unit) => set({ unit })),
    ),
  );
}

export function comparison({ compare: with_ }) {
  return with_ && (with_.kind === "previous" ? "the range before" : "another range");
}

export function compare(board) {
  const { held, now } = board;
  const set = setter(board);
  const kind = held.compare?.kind ?? null;
  const choose = (value) => {
    const { from } = rangeOf(held, now);
    const chosen = { kind: "range", from: shift(from.slice(0, 10), -30), to: from.slice(0, 10) };
    set({ compare: value === "previous" ? { kind: value } : value ? chosen : null }, true);
  };
  const date = (name, label, back) =>
    field(
      label,
      null,
      el("input", {
        class: "input",
        type: "date",
        "aria-label": `Compared: ${label.toLowerCase()}`,
        value: shift(held.compare[name], -back),
        onchange: ({ target }) => target.value && set({ compare: { ...held.compare, [name]: shift(target.value, back) } }),
      }),
    );
  return [
    select(
      "Compare with",
      [
        [null, "Nothing"],
        ["previous", "The range before, of the same length"],
        ["range", "Another range"],
      ],
      kind,
      choose,
    ),
    kind === "range" && el("div", { class: "grid two" }, date("from", "First day", 0), date("to", "Last day", 1)),
  ];
}
