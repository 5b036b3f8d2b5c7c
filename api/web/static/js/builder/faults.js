// What is wrong with a question, told at the fields that the answer names.
import { el } from "../dom.js";

const SHORT = 60; // characters
let made = 0;

/** Takes the faults told before away. */
export function clearFaults(root) {
  for (const told of root.querySelectorAll(".fault-at")) told.remove();
  for (const field of root.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

/** Each of `errors` ({path, message}) at the nearest field on its path; gives those that no field is for. */
export function showFaults(root, errors) {
  clearFaults(root);
  return errors.filter((error) => !showAt(root, error));
}

/** What is wrong, and what may stand there where that is short and not said already. */
function worded({ message, allowed = [] }) {
  const listed = allowed.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(", ");
  return !listed || listed.length > SHORT || message.includes(listed) ? message : `${message}: ${listed}`;
}

function showAt(root, { path, message, allowed }) {
  for (let at = path; at; at = shorter(at)) {
    const place = root.querySelector(`[data-path="${CSS.escape(at)}"]`);
    if (!place) continue;
    const told = el("p", { class: "fault-at small bad", id: `fault-${++made}`, "data-fault": path }, worded({ message, allowed }));
    place.append(told);
    for (let folded = place.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
    const hidden = place.closest("[hidden]");
    if (hidden) hidden.hidden = false;
    const field = place.querySelector("input, select");
    field?.setAttribute("aria-invalid", "true");
    field?.setAttribute("aria-describedby", told.id);
    return true;
  }
  return false;
}

/** "steps[1].any_of[0].event" is followed by "steps[1].any_of[0]", "steps[1].any_of", "steps[1]", "steps". */
function shorter(path) {
  return path.slice(0, Math.max(path.lastIndexOf("."), path.lastIndexOf("["), 0));
}
