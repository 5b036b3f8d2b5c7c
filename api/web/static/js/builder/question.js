// The question: as the builder holds it, as the API takes it, as the address keeps it, and in words.
import { currentZone, day, percent } from "../format.js";
import { shift } from "../range.js";
import { isFilledIn } from "./filters.js";

/** What the API takes where a request says nothing: left out of requests, so that they stay short. */
const DEFAULTS = {
  order: "sequential",
  ties: "in_order",
  reentry: "any",
  witness: "earliest",
  unit: "person",
  count: "units",
  internal: "exclude",
};
const WINDOW = "14d";
export const BINS = 24;
export const UNITS = { person: "People", account: "Accounts", session: "Sessions" };

export const choice = (event = "") => ({ event, where: [] });
export const step = (event = "") => ({
  choices: [choice(event)],
  where: [],
  label: "",
  within: null,
  optional: false,
  first_ever: false,
});

export function fresh() {
  return { ...empty(), steps: [step(), step()], last: "90d" };
}

function empty() {
  return {
    ...DEFAULTS,
    steps: [],
    from: null,
    to: null,
    last: null,
    timezone: currentZone(),
    window: WINDOW,
    hold: [],
    exclude: [],
    where: [],
    by: [],
    attribution: "first",
    limit: 25,
    trend: "week",
    preset: null,
    as_of: null,
    cohorts: [], // {name, unit, where, did, stage}
    times: { from: null, to: null, bins: BINS }, // null: the first step, the last
    compare: null, // {kind: "previous"} or {kind: "range", from, to}
  };
}

/** A request (and what stands beside it: `last`, `compare`) as the builder holds it. Whatever it does not know, it drops. */
export function read(ask, { last = null, compare = null } = {}) {
  const held = { ...empty(), timezone: "UTC", trend: null, last, compare: readCompare(compare) }; // as the API reads it
  for (const name of Object.keys(held))
    if (ask[name] !== undefined && ask[name] !== null && !["cohorts", "times"].includes(name)) held[name] = ask[name];
  held.steps = (ask.steps ?? []).map(readStep);
  held.exclude = (ask.exclude ?? []).map((one) => ({
    ...readChoices(one),
    after: one.after ?? null,
    before: one.before ?? null,
  }));
  Object.assign(held, ask.breakdown ? { by: ask.breakdown.by ?? [] } : {});
  held.attribution = ask.breakdown?.attribution ?? "first";
  held.limit = ask.breakdown?.limit ?? 25;
  held.cohorts = Object.entries(ask.cohorts ?? {}).map(readCohort);
  held.times = readTimes(ask.time_to_convert, held.steps.length);
  return held;
}

/** The ends of the question are not named, so that they stay its ends when steps come and go. */
function readTimes(found, count) {
  const { from = 1, to = count, bins = BINS } = found ?? {};
  return { from: from > 1 ? from : null, to: to < count ? to : null, bins };
}

function readCohort([name, { unit, where, did, stage }]) {
  const several = (found) => (Array.isArray(found) ? found : found === undefined || found === null ? [] : [found]);
  return {
    name,
    unit: unit ?? "person",
    where: where ?? [],
    did: several(did).map(({ at_least = null, at_most = null, from = null, to = null, last = null, ...what }) => ({
      ...readChoices(what),
      ...{ at_least, at_most, from, to, last },
    })),
    stage: several(stage),
  };
}

function readStep(found) {
  const { label, within, optional, first_ever } = found;
  return {
    ...step(),
    ...readChoices(found),
    label: label ?? "",
    within: within ?? null,
    optional: !!optional,
    first_ever: !!first_ever,
  };
}

/** One event keeps its filters on the step, where the builder edits them. */
function readChoices(found) {
  const several = (found.any_of ?? [found.event ?? ""]).map((one) =>
    typeof one === "string" ? choice(one) : { event: one.event ?? "", where: one.where ?? [] },
  );
  const where = found.where ?? [];
  return several.length > 1
    ? { choices: several, where }
    : { choices: [choice(several[0].event)], where: [...several[0].where, ...where] };
}

function readCompare(text) {
  const [from, to] = (text ?? "").split("..");
  if (text === "previous") return { kind: "previous" };
  return from && to ? { kind: "range", from, to } : null;
}

/** The body of `POST /api/funnel`. `moving`: without `from` and `to` where they follow from `last`. */
export function request(held, now, { moving = false, range = null } = {}) {
  const dates = range ?? (held.last ? (moving ? {} : lastDays(held, now)) : { from: held.from, to: held.to });
  const body = { steps: held.steps.map(writeStep), ...dates, timezone: held.timezone, window: held.window };
  for (const [name, usual] of Object.entries(DEFAULTS)) if (held[name] !== usual) body[name] = held[name];
  if (held.where.length) body.where = held.where;
  const [hold, by] = [held.hold.filter(Boolean), held.by.filter(Boolean)];
  if (hold.length) body.hold = hold;
  for (const name of ["trend", "preset", "as_of"]) if (held[name]) body[name] = held[name];
  if (held.cohorts.length) body.cohorts = Object.fromEntries(held.cohorts.map(writeCohort));
  if (held.exclude.length) body.exclude = held.exclude.map(writeExclusion);
  if (by.length) body.breakdown = { by, attribution: held.attribution, limit: held.limit };
  const { from, to, bins } = held.times;
  if (held.steps.length > 1) body.time_to_convert = { from: from ?? 1, to: to ?? held.steps.length, bins };
  return body;
}

function writeCohort({ name, unit, where, did, stage }) {
  const events = did.map(({ at_least, at_most, from, to, last, ...what }) => ({
    ...writeChoices(what),
    ...Object.fromEntries(Object.entries({ at_least, at_most, from, to, last }).filter(([, value]) => value !== null)),
  }));
  const parts = { ...(where.length ? { where } : {}), ...(events.length ? { did: events } : {}) };
  return [name, { unit, ...parts, ...(stage.length ? { stage } : {}) }];
}

function writeStep({ label, within, optional, first_ever, ...what }) {
  return {
    ...writeChoices(what),
    ...(label ? { label } : {}),
    ...(within ? { within } : {}),
    ...(optional ? { optional } : {}),
    ...(first_ever ? { first_ever } : {}),
  };
}

function writeExclusion({ after, before, ...what }) {
  return { ...writeChoices(what), ...(after ? { after } : {}), ...(before ? { before } : {}) };
}

function writeChoices({ choices, where }) {
  const filters = where.length ? { where } : {};
  if (choices.length === 1) return { event: choices[0].event, ...filters };
  return { any_of: choices.map((one) => (one.where.length ? one : one.event)), ...filters };
}

/** The last so many days up to and with today, in the question's zone. */
function lastDays({ last, timezone }, now) {
  const end = shift(dayIn(timezone, now), 1);
  return { from: shift(end, -daysOf(last)), to: end };
}

function dayIn(timeZone, now) {
  try {
    return new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" }).format(new Date(now));
  } catch {
    return dayIn("UTC", now); // no such zone: the API says so at its field
  }
}

/** A moment as a field for dates and times holds it: "2026-01-31T12:00", in the question's zone where it says another. */
export function local(text, timeZone) {
  if (!/(Z|[+-]\d\d:?\d\d)$/.test(text)) return text.includes("T") ? text.slice(0, 16) : `${text}T00:00`;
  try {
    const form = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
    return form.format(new Date(text)).replace(" ", "T");
  } catch {
    return "";
  }
}

const IN_A_DAY = { s: 86400, m: 1440, h: 24, d: 1, w: 1 / 7 };

/** "90d", or "2w", in days. */
export function daysOf(last) {
  return Math.round(Number.parseInt(last, 10) / IN_A_DAY[last.at(-1)]);
}

export function rangeOf(held, now) {
  return held.last ? lastDays(held, now) : { from: held.from, to: held.to };
}

/** The range that a result is compared with, or null. */
export function comparedRange(held, now) {
  if (!held.compare) return null;
  if (held.compare.kind === "range") return { from: held.compare.from, to: held.compare.to };
  const { from, to } = rangeOf(held, now);
  const days = Math.round((Date.parse(to) - Date.parse(from)) / 86400000);
  return { from: shift(from.slice(0, 10), -days), to: from };
}

/** What the address keeps: a link with it shows the same question. */
export function toQuery(held, now) {
  const { compare, last } = held;
  return {
    ask: JSON.stringify(request(held, now, { moving: true })),
    last,
    compare: compare && (compare.kind === "previous" ? "previous" : `${compare.from}..${compare.to}`),
  };
}

export function fromQuery({ ask, last, compare }) {
  try {
    return read(JSON.parse(ask), { last, compare });
  } catch {
    return null; // somebody's hand was in it
  }
}

/** Whether there is something to ask: every step names an event, and every filter says what it compares with what. */
export function isWhole(held) {
  const whole = (one) =>
    one.where.every(isFilledIn) && one.choices.every(({ event, where }) => event && where.every(isFilledIn));
  const parts = [...held.steps, ...held.exclude, ...held.cohorts.flatMap(({ did }) => did)];
  const filters = [held.where, ...held.cohorts.map(({ where }) => where)];
  return (
    held.steps.length > 0 && parts.every(whole) && filters.every((one) => one.every(isFilledIn)) && !!(held.last || (held.from && held.to))
  );
}

export function called(one) {
  return one.label || one.choices.map(({ event }) => (event === "*" ? "Any event" : event)).join(" or ") || "…";
}

export function headline({ entrants, conversion }) {
  return entrants ? `${percent(conversion)} converted` : "No entries";
}

const SPANS = { s: "second", m: "minute", h: "hour", d: "day", w: "week" };

/** "14d" as "14 days". */
export function spanned(text) {
  const amount = Number.parseInt(text, 10);
  return `${amount} ${SPANS[text.at(-1)]}${amount === 1 ? "" : "s"}`;
}

/** The whole question as one sentence. */
export function sentence(held, now) {
  const { from, to } = rangeOf(held, now);
  const then = held.order === "any" ? " and " : held.order === "strict" ? ", next " : ", then ";
  const parts = held.steps.map(
    (one) => `${one.optional ? "(maybe) " : ""}${called(one)}${one.within ? ` within ${spanned(one.within)}` : ""}`,
  );
  const dates = held.last ? `the last ${spanned(held.last)}` : `${day(from)} to ${day(shift(to.slice(0, 10), -1))}`;
  return `${UNITS[held.unit]} who did ${parts.join(then)}${held.order === "any" ? " in any order" : ""}, within ${spanned(held.window)} · ${dates}`;
}
