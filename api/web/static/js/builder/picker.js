// A field with a list of what exists: type to narrow it, arrows and Enter to choose; other text stays allowed.
import { el } from "../dom.js";

const SHOWN = 120;
let made = 0;

/**
 * `options()`: [{value, note, group}]. `choose(value)` is called when another value was chosen or typed; `once`: the field is
 * empty again then, for the next one.
 */
export function picker({ label, value = "", options, choose, placeholder = "", once = false }) {
  const id = `pick-${++made}`;
  const list = el("ul", { id, role: "listbox", "aria-label": label, class: "options", hidden: true });
  const input = el("input", {
    class: "input",
    role: "combobox",
    "aria-label": label,
    "aria-expanded": "false",
    "aria-controls": id,
    "aria-autocomplete": "list",
    autocomplete: "off",
    spellcheck: "false",
    placeholder,
    value,
  });
  let [kept, active, found] = [value, -1, []];

  function show(all) {
    const typed = input.value.trim().toLowerCase();
    const fits = options().filter((one) => all || one.value.toLowerCase().includes(typed));
    found = fits.sort((a, b) => rank(a, typed) - rank(b, typed)).slice(0, SHOWN);
    if (all) found = options().slice(0, SHOWN);
    let group = null;
    list.replaceChildren(
      ...found.flatMap((one, index) => {
        const head =
          one.group && one.group !== group && (all || !typed)
            ? [el("li", { role: "presentation", class: "group" }, one.group)]
            : [];
        group = one.group;
        return [...head, option(one, index)];
      }),
    );
    open(found.length > 0);
    point(all ? found.findIndex((one) => one.value === kept) : found.length ? 0 : -1);
  }

  function option(one, index) {
    return el(
      "li",
      {
        id: `${id}-${index}`,
        role: "option",
        "data-index": String(index),
        onmousedown: (event) => event.preventDefault(), // the field keeps the focus
        onclick: () => take(one.value),
      },
      el("span", { class: "clip" }, one.value),
      one.note && el("span", { class: "faint small figures" }, one.note),
    );
  }

  function open(wanted) {
    list.hidden = !wanted;
    input.setAttribute("aria-expanded", String(wanted));
    if (!wanted) point(-1);
  }

  function point(index) {
    list.querySelector("[aria-selected]")?.removeAttribute("aria-selected");
    active = index;
    const at = index < 0 ? null : list.querySelector(`[data-index="${index}"]`);
    if (at) {
      at.setAttribute("aria-selected", "true");
      at.scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", at.id);
    } else input.removeAttribute("aria-activedescendant");
  }

  function take(text) {
    input.value = text;
    open(false);
    commit();
  }

  function commit() {
    if (input.value.trim() === kept) return;
    kept = input.value.trim();
    const chosen = kept;
    if (once) input.value = kept = "";
    choose(chosen);
  }

  input.addEventListener("focus", () => {
    input.select();
    if (!input.value) show(true); // a field that is filled opens by a click, by typing or by an arrow key
  });
  input.addEventListener("click", () => list.hidden && show(true));
  input.addEventListener("input", () => show(false));
  input.addEventListener("blur", () => {
    open(false);
    commit();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) show(true);
      else point((active + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (!list.hidden && active >= 0) take(found[active].value);
      else commit();
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      open(false);
    }
  });
  return el("div", { class: "picker" }, input, list);
}

/** What begins with the typed text stands before what only has it somewhere. */
function rank({ value }, typed) {
  return value.toLowerCase().startsWith(typed) ? 0 : 1;
}
