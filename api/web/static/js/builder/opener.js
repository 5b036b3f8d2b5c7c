// Which funnel is open: the saved ones, beside those of the definitions, which the overview shows; or a new one.
import { el } from "../dom.js";
import { address } from "../router.js";

/** Goes to an address, and shows its page anew where it is the one that stands there. */
export function show(place) {
  if (location.hash === place) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = place;
}

/** `known`: the items of `GET /api/funnels`; `open`: the saved one that is, or null. */
export function opener(known, open) {
  const saved = known.filter((one) => one.saved);
  const ours = known.filter((one) => !one.saved);
  const option = (place, title, selected = false) => el("option", { value: place, selected }, title);
  const choose = el(
    "select",
    { class: "input", "aria-label": "Open a funnel", onchange: () => show(choose.value) },
    option(address("funnels"), "Open a funnel…", !open),
    saved.length > 0 &&
      el(
        "optgroup",
        { label: "Saved" },
        saved.map(({ name, title }) => option(address("funnels", [name]), title, name === open?.name)),
      ),
    el(
      "optgroup",
      { label: "Over stages" },
      ours.map(({ title }) => option(address("overview"), title)),
    ),
  );
  const begin = el("button", { class: "button", type: "button", onclick: () => show(address("funnels")) }, "New");
  return el("div", { class: "line tight opener" }, choose, begin);
}
