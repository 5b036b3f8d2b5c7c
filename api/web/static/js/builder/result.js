// An answer as cards: the funnel with its states, its trend, the time to convert, the groups, and what to know about it.
import { chart } from "../chart.js";
import { el } from "../dom.js";
import { count, day, duration, moment, percent, percentInterval } from "../format.js";
import { shift } from "../range.js";
import { bars, states, table } from "./bars.js";
import { histogram, survival, trend } from "./curves.js";
import { drivers } from "./drivers.js";
import { pValue, scrolled } from "./parts.js";
import { UNITS, comparedRange, headline, sentence } from "./question.js";

const SURE = 0.05; // below it a corrected p-value is called out

/** `found`: {answer, before, took, held}, `held` being the question that it answers; `board` and `list` as of the page. */
export function result({ answer, before, took, held }, { board, list, tools }) {
  const { now } = board;
  const names = held.count === "attempts" ? "attempts" : UNITS[held.unit].toLowerCase();
  const told = el("p", { class: "small" }, sentence(held, now));
  return [
    el(
      "section",
      { class: "card", "aria-labelledby": "result-title" },
      el("header", {}, el("div", {}, el("h2", { id: "result-title" }, headline(answer)), told), tools),
      answer.entrants
        ? el(
            "div",
            { class: "body" },
            bars(answer, { held, before, list, names }),
            states(answer, { list, names }),
            before && compared(answer, before, comparedRange(held, now)),
          )
        : nobody(names),
      warnings(answer),
      answer.entrants > 0 && table(answer),
      el("p", { class: "small faint foot-line figures" }, about(answer, took)),
    ),
    answer.entrants > 0 && answer.trend?.length > 1 && trendCard(answer),
    answer.time_to_convert?.bins?.length > 0 && times(answer),
    answer.groups?.length > 0 && groups(answer, { list, names }),
    answer.entrants > 0 && held.steps.length > 1 && drivers(board),
  ];
}

function nobody(names) {
  return el(
    "div",
    { class: "empty" },
    el("h3", {}, `No ${names} entered in this range`),
    el("p", { class: "quiet" }, "Choose a longer range, or another first step."),
  );
}

/** What the dashed marks are, and whether both ranges had the same time to convert in. */
function compared(answer, before, { from, to }) {
  const open = answer.pending || before.pending;
  return el(
    "p",
    { class: "small quiet figures compared" },
    el("i", { "aria-hidden": "true" }),
    `Compared with ${day(from.slice(0, 10))} to ${day(shift(to.slice(0, 10), -1))}: ${percent(before.conversion)} of ${count(before.entrants)} converted. `,
    open ? `As they stand: ${count(answer.pending)} still have time now, ${count(before.pending)} then.` : null,
  );
}

function warnings({ warnings: told = [] }) {
  if (!told.length) return null;
  return el(
    "div",
    { class: "body tight" },
    el(
      "ul",
      { class: "notice warn small", "aria-label": "Warnings" },
      told.map((text) => el("li", {}, typeof text === "string" ? text : (text.message ?? JSON.stringify(text)))),
    ),
  );
}

function about(answer, took) {
  const { events_without_unit: without, bots_left_out: bots, internal_left_out: internal } = answer.data ?? {};
  const parts = [
    `Up to ${moment(answer.as_of)}`,
    took !== null && `answered in ${took < 1000 ? `${Math.round(took)} ms` : `${(took / 1000).toFixed(1)} s`}`,
    without > 0 && `${count(without)} events without ${answer.definition?.unit === "account" ? "an account" : "a unit"}`,
    bots > 0 && `${count(bots)} of bots`,
    internal > 0 && `${count(internal)} internal`,
  ];
  return parts.filter(Boolean).join(" · ");
}

function card(title, text, ...content) {
  return el(
    "section",
    { class: "card" },
    el("header", {}, el("div", {}, el("h2", {}, title), text && el("p", {}, text))),
    el("div", { class: "body" }, content),
  );
}

function trendCard({ trend: buckets, definition }) {
  const adds = definition?.reentry === "first" ? "" : " A unit with entries in two of them stands in both.";
  const hollow = buckets.some((one) => !one.complete)
    ? " Hollow: its windows are not all over, or it lies only in part in the range."
    : "";
  return card(
    "Over time",
    "Conversion by time of entry, above how many entered",
    chart("Conversion over time", trend(buckets)),
    el("p", { class: "small faint" }, `Each ${definition?.trend ?? "period"} is a funnel of its own.${adds}${hollow}`),
  );
}

function times({ time_to_convert: found, survival: curve = [], steps, definition }) {
  const { from, to } = definition?.time_to_convert ?? {};
  const part = from > 1 || to < steps.length ? ` from ${steps[from - 1].label} to ${steps[to - 1].label}` : "";
  return el(
    "div",
    { class: "pair" },
    card(
      "Time to convert",
      `Median ${duration(found.median)}${part}, of ${count(found.count)}`,
      chart("Time to convert", histogram(found)),
    ),
    curve.length > 1 &&
      card(
        "Converted within",
        "Kaplan-Meier, 95% interval: counts those still under way",
        chart("Share converted by time", survival(curve)),
      ),
  );
}

function groups({ groups: list, definition }, { list: show, names }) {
  const heads = ["Entered", "Converted", "Conversion", "95% interval", "p, raw", "p, corrected"];
  const most = Math.max(...list.map((one) => one.conversion ?? 0), 1e-9);
  const by = definition?.breakdown?.by ?? [];
  const rows = list.map((one) => {
    const name = one.other ? "other" : one.values.map((value) => (value === null ? "(none)" : String(value))).join(" · ");
    const lister = (number, told, what) =>
      el(
        "button",
        {
          class: "link",
          type: "button",
          disabled: !number,
          "aria-label": `${told}: list them`,
          onclick: () => show({ ...what, group: one.values }, told),
        },
        count(number),
      );
    return el(
      "tr",
      {},
      el("th", { scope: "row", class: one.other ? "faint" : null }, name),
      el(
        "td",
        { class: "number" },
        lister(one.entrants, `${count(one.entrants)} ${names} of ${name} entered`, { state: "reached", step: 1 }),
      ),
      el(
        "td",
        { class: "number" },
        lister(one.converted, `${count(one.converted)} ${names} of ${name} converted`, { state: "converted" }),
      ),
      el(
        "td",
        { class: "number" },
        el(
          "div",
          { class: "meter", style: { "--share": String((one.conversion ?? 0) / most) } },
          el("span", { class: "track", "aria-hidden": "true" }),
          el("b", {}, percent(one.conversion)),
        ),
      ),
      el("td", { class: "number faint" }, percentInterval(one.interval)),
      el("td", { class: "number faint" }, pValue(one.p_value)),
      el(
        "td",
        { class: "number" },
        one.p_corrected !== null && one.p_corrected < SURE
          ? el("span", { class: "chip good" }, pValue(one.p_corrected))
          : pValue(one.p_corrected),
      ),
    );
  });
  const overlap = definition?.breakdown?.attribution === "all" ? " Groups overlap." : "";
  return el(
    "section",
    { class: "card", "aria-labelledby": "groups-title" },
    el(
      "header",
      {},
      el(
        "div",
        {},
        el("h2", { id: "groups-title" }, `By ${by.join(", ") || "group"}`),
        el(
          "p",
          {},
          `Each against the rest: p by Fisher’s exact test or chi-square, corrected for the number of groups.${overlap}`,
        ),
      ),
    ),
    scrolled("Groups", "groups", [by.join(" · "), ...heads], rows),
  );
}
