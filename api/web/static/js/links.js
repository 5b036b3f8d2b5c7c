// Why ids are one person: each link with the event that made it, its state and its undos; with an admin key, its undo.
import { post } from "./api.js";
import { el } from "./dom.js";
import { moment } from "./format.js";
import { failure } from "./states.js";

const STATES = {
  in_force: ["in force", "good"],
  undone: ["undone", "warn"],
  taken: ["not in force: the device belongs to another user", ""],
  runaway: ["not in force: linked to too many ids", "bad"],
};

/** `reload()` gives the links anew after a change; `admin`: whether the reader's key may change them. */
export function links(list, { admin, reload }) {
  const place = el("div", { class: "body links" });
  const show = (found) => place.replaceChildren(...content(found, admin, (again) => again.then(reload).then(show)));
  show(list);
  return place;
}

function content(list, admin, change) {
  if (!list.length) return [el("p", { class: "quiet" }, "No link: one id alone. An identify or alias call links two.")];
  return [el("ul", { class: "ids" }, list.map((link) => row(link, admin, change)))];
}

function row(link, admin, change) {
  const [words, kind] = STATES[link.state];
  return el(
    "li",
    {},
    el("span", { class: "mono" }, link.id, " → ", link.owner),
    el("span", { class: `chip ${kind}` }, words),
    el("span", { class: "small faint" }, `by event ${link.link} at ${moment(link.time)}`),
    link.undos.map((undo) =>
      el(
        "p",
        { class: "small quiet wide" },
        `${undo.undoes.kind === "link" ? "Undone" : "Done again"} ${moment(undo.at)} by ${undo.by}: ${undo.why}`,
      ),
    ),
    admin && form(link, change),
  );
}

function form(link, change) {
  const act = link.state === "undone" ? "redo" : "undo";
  const label = act === "undo" ? "Undo" : "Redo";
  const told = el("div", { class: "wide" });
  const why = el("input", {
    class: "input compact",
    name: "why",
    required: true,
    maxlength: 1000,
    placeholder: "Why?",
    "aria-label": `Why ${act} ${link.id}`,
    autocomplete: "off",
  });
  const send = async (event) => {
    event.preventDefault();
    try {
      await change(post(`identity/${act}`, { link: link.link, why: why.value.trim() }));
    } catch (error) {
      told.replaceChildren(failure(error));
    }
  };
  return el(
    "form",
    { class: "line wide", onsubmit: send },
    why,
    el("button", { class: "button compact", title: "In ad-hoc answers at once, in the tables with the next build" }, label),
    told,
  );
}
