// What stands in a place while its numbers are on the way, are missing, or did not come.
import { el } from "./dom.js";

/** A box of the height that the content will have, so that nothing jumps when it comes. */
export function waiting(height) {
  return el("div", { class: "waiting", style: { height }, role: "status" }, el("span", { class: "hidden-text" }, "Loading"));
}

export function notice(heading, text, kind = "") {
  return el("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : null }, el("strong", {}, heading), text ? el("p", { class: "small" }, text) : null);
}

export function failure(error) {
  const faults = (error.errors ?? []).map((fault) => fault.message).filter(Boolean).join(" ");
  return notice(error.title ?? "Something went wrong", [error.message, faults].filter(Boolean).join(" "), "bad");
}

/** Fill `place` with what `load()` gives; until then a waiting box, and a failure in words if it throws. */
export async function fillWith(place, height, signal, load) {
  if (!place.childElementCount) place.replaceChildren(waiting(height));
  place.setAttribute("aria-busy", "true");
  try {
    const content = await load();
    if (!signal.aborted) place.replaceChildren(...[content].flat());
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    if (error.status === 401) throw error;
    place.replaceChildren(failure(error));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

export function command(text) { return el("code", { class: "chip mono" }, text); }
