// What stands in a place while its numbers are on the way, are missing, or did not come.
import { el } from "./dom.js";

/** A box of the height that the content will have, so that nothing jumps when it comes. */
export function waiting(height) {
  return el("div", { class: "waiting", style: { height }, role: "status" }, el("span", { class: "hidden-text" }, "Loading"));
}

function notice(heading, text, kind = "") {
  return el(
    "div",
    { class: `notice ${kind}`, role: kind === "bad" ? "alert" : null },
    el("strong", {}, heading),
    text ? el("p", { class: "small" }, text) : null,
  );
}

export function failure(error) {
  const faults = (error.errors ?? [])
    .map((fault) => fault.message)
    .filter(Boolean)
    .join(" ");
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

/** When nothing in `node` waits any more, or the reader has waited long enough to be shown that something does. */
export function settled(node, patience = 800) {
  return new Promise((resolve) => {
    const look = () => {
      if (node.querySelector(".waiting, [aria-busy]")) return;
      clearTimeout(timer);
      seen.disconnect();
      resolve();
    };
    const seen = new MutationObserver(look);
    const timer = setTimeout(() => {
      seen.disconnect();
      resolve();
    }, patience);
    seen.observe(node, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-busy"] });
    look();
  });
}
