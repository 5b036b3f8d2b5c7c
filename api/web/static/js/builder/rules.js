// What is asked besides the steps: range, window and unit at hand; order, ties, exclusions, breakdown and the rest folded away.
import { el } from "../dom.js";
import { currentZone } from "../format.js";
import { shift } from "../range.js";
import { adder, field, iconButton, select, span } from "./fields.js";
import { filters } from "./filters.js";
import { picker } from "./picker.js";
import { called, choice, rangeOf } from "./question.js";
import { choices, or } from "./steps.js";

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
const ORDER = [
  ["sequential", "One after the other"],
  ["strict", "With no other event between"],
  ["any", "In any order"],
];
const TIES = [
  ["in_order", "In the order of the steps"],
  ["strict", "Not at all: later means later"],
  ["tolerance", "May precede by at most…"],
];
const REENTRY = [
  ["any", "May begin at any entry"],
  ["first", "Begins at the first entry"],
];
const WITNESS = [
  ["earliest", "The earliest way through"],
  ["shortest", "The shortest way through"],
];
const COUNT = [
  ["units", "Each once"],
  ["attempts", "Every attempt"],
];
const TREND = [
  [null, "No trend"],
  ["day", "By day"],
  ["week", "By week"],
  ["month", "By month"],
];
const INTERNAL = [
  ["exclude", "Left out"],
  ["include", "Included"],
];
const PRESET = [
  [null, "jcurve: exact"],
  ["posthog", "as PostHog counts"],
  ["mixpanel", "as Mixpanel counts"],
  ["amplitude", "as Amplitude counts"],
  ["clickhouse", "as ClickHouse counts"],
  ["umami", "as Umami counts"],
  ["openpanel", "as OpenPanel counts"],
];

export function rules(board) {
  return el(
    "section",
    { class: "card editor", "aria-labelledby": "rules-title" },
    el("header", {}, el("h2", { id: "rules-title" }, "Rules")),
    el("div", { class: "body" }, range(board), basics(board)),
    fold("Filters for all steps", board.held.where.length, "where", board, () =>
      filters(board.held.where, { path: "where", board }),
    ),
    fold("Breakdown", board.held.by.join(", "), "breakdown", board, () => breakdown(board)),
    fold("Compare", comparison(board.held), "compare", board, () => compare(board)),
    fold("Exclusions", board.held.exclude.length, "exclude", board, () => exclusions(board)),
    fold("How it counts", changedRules(board.held), "count", board, () => counting(board)),
  );
}

function setter(board) {
  return (change, shape = false) => {
    Object.assign(board.held, change);
    board.changed({ shape });
  };
}

function range(board) {
  const { held, now } = board;
  const set = setter(board);
  const choose = (last) => set(last ? { last, from: null, to: null } : { last: null, ...rangeOf(held, now) }, true);
  const listed = LAST.some(([value]) => value === held.last);
  const options = listed ? LAST : [[held.last, `Last ${Number.parseInt(held.last, 10)} days`], ...LAST];
  return el(
    "div",
    { class: "grid two" },
    field("Entered", "from", select("Entered", options, held.last, choose)),
    field("Trend", "trend", select("Trend", TREND, held.trend, (trend) => set({ trend }))),
    !held.last && dates(held, "from", set),
    !held.last && dates(held, "to", set),
  );
}

/** The last day is chosen with it included; a request's `to` is not. */
function dates(held, name, set) {
  const [label, own, back] = name === "from" ? ["First day", "from", 0] : ["Last day", "to", 1];
  const value = held[own] ? shift(held[own].slice(0, 10), -back) : "";
  const choose = ({ target }) => target.value && set({ [own]: shift(target.value, back) });
  return field(label, back ? "to" : null, el("input", { class: "input", type: "date", value, "aria-label": label, onchange: choose }));
}

function basics(board) {
  const { held } = board;
  const set = setter(board);
  return el(
    "div",
    { class: "grid two" },
    field("All steps within", "window", span("Window", held.window, (window) => set({ window: window ?? "14d" }))),
    field("Who is counted", "unit", select("Who is counted", UNIT, held.unit, (unit) => set({ unit }))),
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

function breakdown(board) {
  const { held } = board;
  const set = setter(board);
  const steps = held.steps.map((one, index) => [index + 1, `The value at step ${index + 1}`]);
  const touch = [["first", "The first value on the way"], ["last", "The last value on the way"], ["all", "Every value (groups overlap)"]];
  return [
    properties("by", "breakdown.by", board, { most: 3, add: "property" }),
    held.by.length > 0 &&
      el(
        "div",
        { class: "grid two" },
        field(
          "Whose value counts",
          "breakdown.attribution",
          select("Whose value counts", [...touch, ...steps.filter((_, at) => !held.steps[at].optional)], held.attribution, (attribution) => set({ attribution })),
        ),
        field("Largest groups", "breakdown.limit", number("Largest groups", held.limit, (limit) => set({ limit }))),
      ),
  ];
}

function number(label, value, choose) {
  const tell = ({ target }) => target.value && choose(Number(target.value));
  return el("input", { class: "input figures", type: "number", min: "1", step: "1", value, "aria-label": label, onchange: tell });
}

/** A list of properties, as of `by` and `hold`. */
function properties(name, path, board, { most, add }) {
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
          options: () => board.catalogue.properties,
          choose: (text) => {
            if (text) list[index] = text;
            else list.splice(index, 1);
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

function comparison({ compare: with_ }) {
  return with_ && (with_.kind === "previous" ? "the range before" : "another range");
}

function compare(board) {
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

function exclusions(board) {
  const { held } = board;
  const required = held.steps.map((one, index) => [index + 1, `${index + 1} ${called(one)}`]).filter(([at]) => !held.steps[at - 1].optional);
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
      return el(
        "div",
        { class: "nest", "data-path": path },
        el(
          "div",
          { class: "line tight" },
          el("span", { class: "small quiet" }, "Excluded event"),
          iconButton("Remove the exclusion", "×", () => {
            list.splice(index, 1);
            board.changed({ shape: true });
          }),
        ),
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

const COUNTING = ["order", "ties", "reentry", "witness", "count", "internal", "preset"];
const USUAL = { order: "sequential", ties: "in_order", reentry: "any", witness: "earliest", count: "units", internal: "exclude", preset: null };

function changedRules(held) {
  const other = COUNTING.filter((name) => held[name] !== USUAL[name]).length + (held.hold.length > 0 ? 1 : 0);
  return other ? `${other} changed` : null;
}

function counting(board) {
  const { held } = board;
  const set = setter(board);
  const tolerant = !["in_order", "strict"].includes(held.ties);
  const one = (label, name, options) => field(label, name, select(label, options, held[name], (value) => set({ [name]: value })));
  return [
    el(
      "div",
      { class: "grid two top" },
      one("Order of the steps", "order", ORDER),
      field(
        "At the same instant",
        "ties",
        select("At the same instant", TIES, tolerant ? "tolerance" : held.ties, (ties) =>
          set({ ties: ties === "tolerance" ? "2s" : ties }, true),
        ),
        tolerant && span("Tolerance", held.ties, (ties) => set({ ties: ties ?? "2s" })),
      ),
      one("Re-entry", "reentry", REENTRY),
      one("Times are those of", "witness", WITNESS),
      one("Count", "count", COUNT),
      one("Internal traffic", "internal", INTERNAL),
      one("Rules", "preset", PRESET),
    ),
    el("p", { class: "small quiet" }, "Held constant: all events of a way through have the same value of"),
    properties("hold", "hold", board, { most: 5, add: "property" }),
    el("p", { class: "small faint" }, `Days are those of ${held.timezone || currentZone()}.`),
  ];
}

