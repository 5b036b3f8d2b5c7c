// Small fields of the builder: each has a label, and the path of the request that it writes (for faults to find it).
import { el } from "../dom.js";

export function field(label, path, ...content) {
  return el("label", { class: "field", "data-path": path }, el("span", {}, label), content);
}

/** One of a list, indented: what it is and a button that removes it, then its fields. */
export function nest(path, what, removed, remove, ...content) {
  const head = el("div", { class: "line tight" }, what, iconButton(removed, "×", remove));
  return el("div", { class: "nest", "data-path": path }, head, content);
}

/** A drop-down; `options`: [[value, text], …]. */
export function select(label, options, current, choose) {
  const node = el(
    "select",
    { class: "input", "aria-label": label, onchange: () => choose(options[node.selectedIndex][0]) },
    options.map(([value, text]) => el("option", { value: String(value), selected: value === current }, text)),
  );
  return node;
}

const SPANS = [
  ["s", "seconds"],
  ["m", "minutes"],
  ["h", "hours"],
  ["d", "days"],
  ["w", "weeks"],
];

/** A duration such as "14d", in a number and its unit; null where it is left empty. */
export function span(label, value, choose, { placeholder = "" } = {}) {
  let unit = value?.at(-1) ?? "d";
  const amount = el("input", {
    class: "input figures",
    type: "number",
    min: "1",
    step: "1",
    inputmode: "numeric",
    "aria-label": label,
    value: value ? Number.parseInt(value, 10) : "",
    placeholder,
    onchange: () => tell(),
  });
  const units = select(`Unit of ${label.toLowerCase()}`, SPANS, unit, (chosen) => {
    unit = chosen;
    if (amount.value) tell();
  });
  const tell = () => choose(amount.value ? `${amount.value}${unit}` : null);
  return el("span", { class: "span" }, amount, units);
}

/** A whole number; null where it is left empty. */
export function number(label, value, choose, { least = 1, placeholder = "" } = {}) {
  return el("input", {
    class: "input figures",
    type: "number",
    min: String(least),
    step: "1",
    inputmode: "numeric",
    placeholder,
    value: value ?? "",
    "aria-label": label,
    onchange: ({ target }) => choose(target.value === "" ? null : Number(target.value)),
  });
}

export function tick(label, on, choose) {
  const box = el("input", { type: "checkbox", checked: on, onchange: () => choose(box.checked) });
  return el("label", { class: "tick" }, box, label);
}

export function iconButton(label, sign, act, more = {}) {
  return el(
    "button",
    { class: "button plain compact sign", type: "button", "aria-label": label, title: label, onclick: act, ...more },
    el("span", { "aria-hidden": "true" }, sign),
  );
}

export function adder(text, act, more = {}) {
  return el("button", { class: "button plain compact add", type: "button", onclick: act, ...more }, `+ ${text}`);
}

/** Changes the question; `shape`: fields come or go by it. */
export function setter(board) {
  return (change, shape = false) => {
    Object.assign(board.held, change);
    board.changed({ shape });
  };
}
