// Sources: what sends, whether it is on, how it is set up, its keys; and for who holds an admin key the buttons that change it.
import { get, patch, post } from "./api.js";
import { code } from "./copy.js";
import { el } from "./dom.js";
import { moment } from "./format.js";

const USUAL = { ip: "sent", do_not_track: "store", consent: "store", consent_category: "", cookie: true };
const KEEP_DAYS = 7;

/** A part that asks for its rows when it is made and after each change. A new key is shown until the next one is made. */
export function sources({ signal }) {
  const list = el("div");
  const said = el("div", { class: "body small", role: "status" });
  const show = async () => {
    const { items } = await get("sources", {}, { signal });
    list.replaceChildren(items.length ? table(items, act) : el("p", { class: "body quiet" }, "No source yet: make one below."));
  };
  const act = async (button, work) => {
    button.disabled = true;
    try {
      said.replaceChildren(...told(await work()));
      await show();
    } catch (error) {
      if (error.name !== "AbortError") said.replaceChildren(error.message);
    } finally {
      button.disabled = false;
    }
  };
  show().catch((error) => error.name !== "AbortError" && list.replaceChildren(error.message));
  return { node: el("div", { class: "sources" }, list, said, maker(act)) };
}

/** The answer that holds a key is the only one that ever does. */
function told(source) {
  if (!source.key) return [`${source.name} is ${source.on ? "on" : "off"}.`];
  return [`The new write key of ${source.name}, which is shown this once:`, code(source.key)];
}

function maker(act) {
  const name = el("input", { class: "input", placeholder: "website", maxlength: "63", required: true });
  const button = el("button", { class: "button" }, "Make a source");
  const form = el("form", { class: "line body" }, el("label", { class: "field" }, el("span", {}, "Name"), name), button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(button, () => post("sources", { name: name.value.trim() })).then(() => (name.value = ""));
  });
  return form;
}

function table(items, act) {
  const head = ["Source", "", "Settings", "Keys", ""];
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, items.map((source) => line(source, act))),
    ),
  );
}

function line(source, act) {
  const path = `sources/${encodeURIComponent(source.name)}`;
  const button = (text, title, work) => {
    const made = el("button", { type: "button", class: "button", title: `${title}; takes an admin key` }, text);
    made.addEventListener("click", () => act(made, work));
    return made;
  };
  const turn = () => patch(path, { on: !source.on });
  const rotate = () => post(`${path}/rotate`, { keep_days: KEEP_DAYS });
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, source.name),
    el("td", {}, el("span", { class: source.on ? "chip" : "chip warn" }, source.on ? "on" : "off")),
    el("td", { class: "small" }, settings(source.settings)),
    el("td", { class: "small mono" }, source.keys.filter((key) => key.in_force).map(key)),
    el(
      "td",
      {},
      button(source.on ? "Switch off" : "Switch on", "What it sends is refused while it is off", turn),
      " ",
      button("New key", `The old keys are taken for ${KEEP_DAYS} days more`, rotate),
    ),
  );
}

function settings(given) {
  const own = Object.entries(given).filter(([name, value]) => value !== USUAL[name]);
  return own.length ? own.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ") : "as by default";
}

function key({ hint, until }) {
  return el("div", { title: until ? `Ends ${moment(until)}` : "In force" }, until ? `${hint}, until ${moment(until)}` : hint);
}
