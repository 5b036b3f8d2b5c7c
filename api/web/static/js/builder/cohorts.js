// Cohorts that the question itself defines: who satisfies a condition; then a property, cohort:NAME, of filters and groups.
import { el } from "../dom.js";
import { shift } from "../range.js";
import { adder, field, iconButton, nest, number, select, span } from "./fields.js";
import { filters } from "./filters.js";
import { picker } from "./picker.js";
import { choice } from "./question.js";
import { choices, or } from "./steps.js";

const UNIT = [
  ["person", "People"],
  ["account", "Accounts"],
];
const KNOWN = { person: "person_now.", account: "account_now." };
const OF_OTHERS = /^(person|account|person_now|account_now)\.|^cohort:/;

const did = () => ({ choices: [choice()], where: [], at_least: null, at_most: null, from: null, to: null, last: null });

export function cohorts(board) {
  const list = board.held.cohorts;
  return [
    el(
      "p",
      { class: "small quiet" },
      "Whoever satisfies all that is written is in it. Choose it as a property, cohort:…, of a filter or a breakdown.",
    ),
    list.map((one, index) => cohort(one, index, board)),
    adder("cohort", () => {
      list.push({ name: unused(list), unit: "person", where: [], did: [did()], stage: [] });
      board.changed({ shape: true, focus: `[data-cohort="${list.length - 1}"] input` });
    }),
  ];
}

function unused(list) {
  for (let number = 1; ; number++) {
    const name = `cohort ${number}`;
    if (!list.some((one) => one.name === name)) return name;
  }
}

function cohort(one, index, board) {
  const path = `cohorts.${one.name}`;
  const again = () => board.changed({ shape: true });
  const about = (fits) => Object.assign(Object.create(board), { properties: () => board.properties().filter(fits) });
  const theirs = about(({ value }) => value.startsWith(KNOWN[one.unit]));
  const name = el("input", {
    class: "input",
    value: one.name,
    "aria-label": `Name of cohort ${index + 1}`,
    onchange: ({ target }) => {
      const wanted = target.value.trim();
      if (wanted && !board.held.cohorts.some((other) => other !== one && other.name === wanted)) rename(board.held, one, wanted);
      again();
    },
  });
  const unit = select("Of whom", UNIT, one.unit, (chosen) => {
    Object.assign(one, { unit: chosen, where: [] }); // what is asked of people is nothing that accounts have
    again();
  });
  return el(
    "div",
    { class: "nest cohort", "data-path": path, "data-cohort": String(index) },
    el(
      "div",
      { class: "line tight" },
      name,
      iconButton(`Remove ${one.name}`, "×", () => {
        board.held.cohorts.splice(index, 1);
        again();
      }),
    ),
    field("Of whom", `${path}.unit`, unit),
    el("p", { class: "small quiet" }, "What is known of them now"),
    filters(one.where, { path: `${path}.where`, board: theirs }),
    one.did.map((each, at) => done(each, `${path}.did[${at}]`, { one, at, board, about })),
    stages(one, path, board),
    el(
      "div",
      { class: "line tight" },
      adder("event they did", () => {
        one.did.push(did());
        board.changed({ shape: true, focus: `[data-path="${CSS.escape(`${path}.did[${one.did.length - 1}]`)}"] input` });
      }),
      board.catalogue.stages.length > one.stage.length &&
        adder("stage they entered", () => {
          one.stage.push(board.catalogue.stages.find((stage) => !one.stage.includes(stage)));
          again();
        }),
    ),
  );
}

/** The name goes on meaning it, wherever it stands in the question. */
function rename(held, one, name) {
  const [before, now] = [`cohort:${one.name}`, `cohort:${name}`];
  const swap = (found) => {
    if (Array.isArray(found)) return found.map(swap);
    if (found && typeof found === "object") {
      for (const [key, value] of Object.entries(found)) found[key] = swap(value);
      return found;
    }
    return found === before ? now : found;
  };
  one.name = name;
  for (const part of ["steps", "where", "exclude", "by", "hold"]) held[part] = swap(held[part]);
}

/** How often they did an event, and when. */
function done(each, path, { one, at, board, about }) {
  const set = (change) => {
    Object.assign(each, change);
    board.changed({ shape: true });
  };
  const place = `${one.name}, event ${at + 1}`;
  const events = about(({ value }) => !OF_OTHERS.test(value));
  const day = (name, label, back) =>
    field(
      label,
      `${path}.${name}`,
      el("input", {
        class: "input",
        type: "date",
        "aria-label": `${label}, ${place}`,
        value: each[name] ? shift(each[name].slice(0, 10), -back) : "",
        onchange: ({ target }) => set({ [name]: target.value ? shift(target.value, back) : null }),
      }),
    );
  return nest(
    path,
    el("span", { class: "small quiet" }, "Did"),
    `Remove ${place}`,
    () => {
      one.did.splice(at, 1);
      board.changed({ shape: true });
    },
    choices(each, { path, place, board }),
    filters(each.where, { path: `${path}.where`, board: events, more: or(each, { path, board }) }),
    el(
      "div",
      { class: "grid two" },
      field(
        "At least",
        `${path}.at_least`,
        number(`At least, ${place}`, each.at_least, (at_least) => set({ at_least }), {
          least: 0,
          placeholder: each.at_most === null ? "1" : "0",
        }),
      ),
      field(
        "At most",
        `${path}.at_most`,
        number(`At most, ${place}`, each.at_most, (at_most) => set({ at_most }), { least: 0, placeholder: "any" }),
      ),
    ),
    field(
      "In the last",
      `${path}.last`,
      span(`In the last, ${place}`, each.last, (last) => set(last ? { last, from: null, to: null } : { last }), {
        placeholder: "ever",
      }),
    ),
    !each.last && el("div", { class: "grid two" }, day("from", "First day", 0), day("to", "Last day", 1)),
  );
}

function stages(one, path, board) {
  return one.stage.map((name, at) =>
    el(
      "div",
      { class: "choice", "data-path": `${path}.stage[${at}]` },
      el("span", { class: "or" }, "Entered the stage"),
      picker({
        label: `Stage, ${one.name}`,
        value: name,
        placeholder: "stage",
        options: () => board.catalogue.stages.map((value) => ({ value })),
        choose: (chosen) => {
          one.stage[at] = chosen;
          board.changed();
        },
      }),
      iconButton(`Remove the stage ${name}`, "×", () => {
        one.stage.splice(at, 1);
        board.changed({ shape: true });
      }),
    ),
  );
}
