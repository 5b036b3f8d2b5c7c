// The steps: each an event or any of several, with its filters and rules; moved by dragging, by arrow keys, or by buttons.
import { el } from "../dom.js";
import { adder, field, iconButton, span, tick } from "./fields.js";
import { filters } from "./filters.js";
import { picker } from "./picker.js";
import { called, choice, step } from "./question.js";

const MOST = 32;

export function steps(board) {
  const list = board.held.steps;
  const told = el("p", { class: "hidden-text", role: "status" });
  const items = el("ol", { class: "steps-editor" });
  const move = (from, to) => {
    if (to < 0 || to >= list.length || from === to) return;
    const before = [...list];
    const [moved] = list.splice(from, 1);
    list.splice(to, 0, moved);
    tidyEnds(list);
    renumber(board.held, before);
    board.say(`${called(moved)} is step ${to + 1} of ${list.length} now`);
    board.changed({ shape: true, focus: `[data-grip="${to}"]` });
  };
  items.append(...list.map((one, index) => card(one, index, { list, board, items, move })));
  return el(
    "section",
    { class: "card editor", "aria-labelledby": "steps-title", "data-path": "steps" },
    el("header", {}, el("h2", { id: "steps-title" }, "Steps")),
    el(
      "div",
      { class: "body" },
      items,
      told,
      list.length < MOST &&
        adder("step", () => {
          list.push(step());
          board.changed({ shape: true, focus: `[data-step="${list.length - 1}"] input` });
        }),
    ),
  );
}

/** The first step has no time since the one before, and neither end is optional. */
function tidyEnds(list) {
  list[0].within = null;
  list[0].optional = false;
  list.at(-1).optional = false;
}

/** Exclusions and groups name steps by number: they go on naming the same ones, as long as these are there and required. */
function renumber(held, before) {
  const now = (number) => {
    const at = number ? held.steps.indexOf(before[number - 1]) : -1;
    return at < 0 || held.steps[at].optional ? null : at + 1;
  };
  for (const one of held.exclude) {
    [one.after, one.before] = [now(one.after), now(one.before)];
    if ((one.after ?? 1) >= (one.before ?? held.steps.length)) [one.after, one.before] = [null, null];
  }
  if (typeof held.attribution === "number") held.attribution = now(held.attribution) ?? "first";
  const at = (number) => (number ? held.steps.indexOf(before[number - 1]) + 1 : null);
  const [from, to] = [at(held.times.from), at(held.times.to)];
  const whole = (from ?? 1) && (to ?? held.steps.length) && (from ?? 1) < (to ?? held.steps.length);
  held.times = { ...held.times, ...(whole ? { from, to } : { from: null, to: null }) };
}

function card(one, index, { list, board, items, move }) {
  const path = `steps[${index}]`;
  const several = one.choices.length > 1;
  const last = index === list.length - 1;
  const place = `Step ${index + 1}`;
  const rules = more(one, index, { board, path, last });
  const remove = () => {
    const before = [...list];
    list.splice(index, 1);
    tidyEnds(list);
    renumber(board.held, before);
    board.changed({ shape: true });
  };
  return el(
    "li",
    { class: "step-card", "data-step": String(index), "data-path": path },
    el("div", { class: "gutter" }, grip(one, index, { items, move }), el("span", { class: "place" }, String(index + 1))),
    el(
      "div",
      { class: "step-parts" },
      choices(one, { path, place, board }),
      filters(one.where, {
        path: `${path}.where`,
        board,
        label: several ? "filter all" : "filter",
        more: [
          or(one, { path, board }),
          folder("Rules", rules, path, board, { said: ruled(one) }),
          el(
            "span",
            { class: "tools-row" },
            iconButton(`Move ${place.toLowerCase()} up`, "↑", () => move(index, index - 1), { disabled: index === 0 }),
            iconButton(`Move ${place.toLowerCase()} down`, "↓", () => move(index, index + 1), { disabled: last }),
            iconButton(`Remove ${place.toLowerCase()}`, "×", remove, { disabled: list.length === 1 }),
          ),
        ],
      }),
      rules,
    ),
  );
}

/** Any one of these events serves. Alone, an event's filters are the step's. */
export function choices(one, { path, place, board }) {
  const several = one.choices.length > 1;
  const rows = one.choices.map((each, number) => {
    const own = several ? `${path}.any_of[${number}]` : `${path}.event`;
    return el(
      "div",
      { class: "choice", "data-path": own },
      number > 0 && el("span", { class: "or" }, "or"),
      picker({
        label: several ? `${place}, event ${number + 1}` : `${place}, event`,
        value: each.event,
        placeholder: "choose an event",
        options: () => board.catalogue.events,
        choose: (event) => {
          each.event = event;
          board.changed({ shape: true });
        },
      }),
      several &&
        iconButton(`Remove ${each.event || "this event"}`, "×", () => {
          one.choices.splice(number, 1);
          if (one.choices.length === 1) one.where = [...one.choices[0].where, ...one.where];
          if (one.choices.length === 1) one.choices[0].where = [];
          board.changed({ shape: true });
        }),
      several && filters(each.where, { path: `${own}.where`, board, label: "filter" }),
    );
  });
  return el("div", { class: "choices-editor" }, rows);
}

/** Another event that serves as well. */
export function or(one, { path, board }) {
  return adder(
    "or",
    () => {
      if (one.choices.length === 1) one.choices[0].where = one.where.splice(0);
      one.choices.push(choice());
      board.changed({ shape: true, focus: `[data-path="${path}.any_of[${one.choices.length - 1}]"] input` });
    },
    { title: "Or another event" },
  );
}

/** A button that shows and hides `part`; it stays as it was when the builder is drawn anew. */
function folder(label, part, name, board, { said }) {
  part.hidden = !board.isOpen(name);
  const node = el(
    "button",
    {
      class: "button plain compact add",
      type: "button",
      "aria-expanded": String(!part.hidden),
      "aria-label": label,
      onclick: () => {
        part.hidden = !part.hidden;
        board.open(name, !part.hidden);
        node.setAttribute("aria-expanded", String(!part.hidden));
      },
    },
    said || label,
  );
  return node;
}

/** The rules of a step that are not the usual ones, in a few words. */
function ruled(one) {
  return [one.within && `within ${one.within}`, one.optional && "optional", one.first_ever && "first ever"]
    .filter(Boolean)
    .join(", ");
}

function more(one, index, { board, path, last }) {
  const set = (change, shape = false) => {
    Object.assign(one, change);
    board.changed({ shape });
  };
  return el(
    "div",
    { class: "grid step-rules" },
    index > 0 &&
      field(
        "Within, since the step before",
        `${path}.within`,
        span("Within", one.within, (within) => set({ within }), { placeholder: "any" }),
      ),
    field(
      "Called",
      `${path}.label`,
      el("input", {
        class: "input",
        value: one.label,
        placeholder: called({ ...one, label: "" }),
        onchange: (event) => set({ label: event.target.value.trim() }),
      }),
    ),
    el(
      "div",
      { class: "ticks", "data-path": `${path}.optional` },
      index > 0 && !last && tick("Optional: may be left out", one.optional, (optional) => {
          one.optional = optional;
          renumber(board.held, board.held.steps);
          board.changed({ shape: true });
        }),
      el(
        "span",
        { "data-path": `${path}.first_ever` },
        tick("Only their first ever", one.first_ever, (first_ever) => set({ first_ever })),
      ),
    ),
  );
}

/** The handle: drag it, or press the arrow keys on it. While dragged the card moves among the others; letting go tells. */
function grip(one, index, { items, move }) {
  const node = el(
    "button",
    {
      class: "grip",
      type: "button",
      "data-grip": String(index),
      "aria-label": `Move ${called(one)}: drag, or press the arrow keys`,
      title: "Drag, or press the arrow keys",
      onkeydown: (event) => {
        const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (!by) return;
        event.preventDefault();
        move(index, index + by);
      },
      onpointerdown: (event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        node.focus();
        drag(node.closest("li"), items, event, (to) => move(index, to));
      },
    },
    el("span", { "aria-hidden": "true" }, "⠿"),
  );
  return node;
}

function middle(node) {
  const { top, height } = node.getBoundingClientRect();
  return top + height / 2;
}

function drag(card, items, { pointerId, target }, drop) {
  target.setPointerCapture(pointerId);
  card.classList.add("dragged");
  const at = ({ clientY }) => {
    // The others move around the card: it would lose the pointer if it were taken out itself.
    for (let next = card.nextElementSibling; next && middle(next) < clientY; next = card.nextElementSibling)
      card.before(next);
    for (let back = card.previousElementSibling; back && middle(back) > clientY; back = card.previousElementSibling)
      card.after(back);
  };
  const end = () => {
    target.removeEventListener("pointermove", at);
    card.classList.remove("dragged");
    drop([...items.children].indexOf(card));
  };
  target.addEventListener("pointermove", at);
  target.addEventListener("lostpointercapture", end, { once: true });
}
