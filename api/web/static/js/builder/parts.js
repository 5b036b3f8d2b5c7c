// What several cards of an answer share.
import { el } from "../dom.js";
import { select } from "./fields.js";

export function pValue(value) {
  if (value === null || value === undefined) return "–";
  return value < 0.001 ? "<0.001" : value.toFixed(3);
}

export function stepSelect(label, options, current, choose) {
  const node = select(label, options, current, choose);
  node.classList.add("compact");
  return node;
}

/** A table that scrolls sideways by itself; `heads` as texts, the first one's column holds the row's name. */
export function scrolled(label, kind, heads, rows) {
  const head = (text, at) => el("th", { scope: "col", class: at ? "number" : null }, text);
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    el("table", { class: kind }, el("thead", {}, el("tr", {}, heads.map(head))), el("tbody", {}, rows)),
  );
}
