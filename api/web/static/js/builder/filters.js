// Conditions on events: a list of them means all; a box "any of" within means one of those.
import { el } from "../dom.js";
import { adder, iconButton, nest, select } from "./fields.js";
import { picker } from "./picker.js";
import { several } from "./values.js";

export const OPERATORS = [
  ["eq", "is"],
  ["ne", "is not"],
  ["in", "is one of"],
  ["not_in", "is none of"],
  ["gt", ">"],
  ["gte", "≥"],
  ["lt", "<"],
  ["lte", "≤"],
  ["contains", "contains"],
  ["not_contains", "does not contain"],
  ["icontains", "contains (any case)"],
  ["not_icontains", "does not contain (any case)"],
  ["matches", "matches (RE2)"],
  ["is_set", "is set"],
  ["is_not_set", "is not set"],
];
const LISTED = ["in", "not_in"];
const BARE = ["is_set", "is_not_set"];
const TEXT = ["contains", "not_contains", "icontains", "not_icontains", "matches"];
const KINDS = { string: "text", number: "number", boolean: "flag" };

/** Edits `list` in place. `board`: {property(), properties(), changed()}; `changed({shape: true})` draws the builder anew. */
export function filters(list, { path, board, label = "filter", more = null }) {
  return el(
    "div",
    { class: "filters", "data-path": path },
    list.map((one, index) => item(list, index, `${path}[${index}]`, board)),
    el(
      "div",
      { class: "line tight" },
      adder(label, () => add(list, blank(), board)),
      list.length > 0 && adder("any of", () => add(list, { any: [blank()] }, board)),
      more,
    ),
  );
}

const blank = () => ({ property: "", op: "eq", value: null });

/** Whether nothing of it is still to be filled in: what is not is not asked. An empty text is written as "". */
export function isFilledIn(one) {
  if (one.any || one.all) return (one.any ?? one.all).every(isFilledIn);
  return !!one.property && (BARE.includes(one.op) || (LISTED.includes(one.op) ? one.value?.length > 0 : one.value !== null));
}

function add(list, one, board) {
  list.push(one);
  board.changed({ shape: true, focus: null, last: true });
}

function item(list, index, path, board) {
  const one = list[index];
  const name = one.any ? "any" : one.all ? "all" : null;
  if (!name) return condition(list, index, path, board);
  return nest(
    path,
    select(
      "Which of these must hold",
      [
        ["any", "Any of these"],
        ["all", "All of these"],
      ],
      name,
      (kind) => {
        list[index] = { [kind]: one[name] };
        board.changed({ shape: true });
      },
    ),
    "Remove the group",
    () => remove(list, index, board),
    filters(one[name], { path: `${path}.${name}`, board }),
  );
}

function remove(list, index, board) {
  list.splice(index, 1);
  board.changed({ shape: true });
}

function condition(list, index, path, board) {
  const one = list[index];
  const known = board.property(one.property);
  const set = (change, focus = null) => {
    Object.assign(one, change);
    board.changed({ shape: true, focus });
  };
  return el(
    "div",
    { class: "condition", "data-path": path },
    el(
      "div",
      { "data-path": `${path}.property` },
      picker({
        label: "Property",
        value: one.property,
        placeholder: "property",
        options: () => board.properties(),
        choose: (property) => {
          if (property.startsWith("cohort:")) return set({ property, op: "eq", value: true }); // whoever is in it
          set({ property }, property && one.value === null ? `[data-path="${path}.value"] input` : null);
        },
      }),
    ),
    iconButton("Remove the filter", "×", () => remove(list, index, board)),
    el(
      "div",
      { class: "compare" },
      el(
        "div",
        { "data-path": `${path}.op` },
        select("Operator", OPERATORS, one.op, (op) => set({ op, value: valueFor(op, one.value) })),
      ),
      !BARE.includes(one.op) && el("div", { class: "value", "data-path": `${path}.value` }, valueField(one, known, board)),
    ),
  );
}

function valueFor(op, value) {
  if (BARE.includes(op)) return undefined;
  const first = Array.isArray(value) ? value[0] : value;
  if (LISTED.includes(op)) return Array.isArray(value) ? value : (first ?? null) === null ? [] : [first];
  return TEXT.includes(op) && (first ?? null) !== null ? String(first) : (first ?? null);
}

function valueField(one, known, board) {
  const read = (text) => (TEXT.includes(one.op) ? text : scalar(text, known?.types));
  const write = (value) => written(value, known?.types);
  const options = () => (known?.examples ?? []).map((value) => ({ value: write(value) }));
  const choose = (value) => {
    one.value = value;
    board.changed();
  };
  if (LISTED.includes(one.op)) return several(one.value ?? [], { options, read, write, choose, kinds: KINDS });
  const kind = el("span", { class: "chip", title: "Types compare as they are: 5 is not “5”" });
  const tell = () => {
    kind.textContent = KINDS[typeof one.value] ?? ""; // none where there is no value yet
    kind.hidden = !kind.textContent;
  };
  const field = picker({
    label: "Value",
    value: write(one.value),
    placeholder: "value",
    options,
    choose: (text) => {
      choose(text === "" ? null : read(text));
      tell();
    },
  });
  tell();
  return [field, kind];
}

/** Typed text as the value that is meant: 5 is a number unless the property only ever held text; "5" in quotes is text. */
export function scalar(text, types = []) {
  if (/^".*"$/.test(text)) return text.slice(1, -1);
  const onlyText = types.length > 0 && types.every((type) => type === "text" || type === "list");
  if (onlyText) return text;
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : text;
}

function written(value, types = []) {
  if (value === undefined || value === null) return "";
  const misread = typeof value === "string" && (value === "" || typeof scalar(value, types) !== "string");
  return misread ? `"${value}"` : String(value);
}
