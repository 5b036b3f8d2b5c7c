// The overview: headline numbers, the funnel for people and accounts, by channel, and the two series over time.
import { get } from "./api.js";
import { channelTable } from "./channels.js";
import { chartNote, columnsOverTime, draw, lineOverTime } from "./charts.js";
import { choices } from "./choices.js";
import { el } from "./dom.js";
import { compact, count, decimal, percent, title } from "./format.js";
import { byPath, funnelFigure, funnelTable, isEmpty, stateBar } from "./funnel.js";
import { arrow, said, tile } from "./metrics.js";
import { rangeOf, rangePicker, shift } from "./range.js";
import { go } from "./router.js";
import { emptyRange, gettingStarted, notBuilt } from "./start.js";
import { failure, fillWith, waiting } from "./states.js";

const FUNNEL = "plg";

export async function overview({ query, signal, status, freshness }) {
  const choose = (change) => go("overview", [], { ...query, ...change });
  const range = rangeOf(query, status.now);
  const unit = query.unit === "account" ? "account" : "person";
  if (!status.received.total) return gettingStarted({ signal });
  if (status.lag.lake_to_build_seconds === null) return notBuilt(freshness);

  const places = { tiles: el("section", { class: "tiles", "aria-label": "Headline numbers" }), funnel: el("div"), channels: el("div"), k: el("div"), star: el("div") };
  const ask = memo((path, extra = {}) => get(path, { from: range.from, to: range.to, ...extra }, { signal }));
  const page = el("div", { class: "page" },
    el("header", {}, el("div", {}, el("h1", {}, "Overview"), freshness), rangePicker(query, status.now, choose)),
    places.tiles,
    funnelCard(places, unit, choose),
    el("section", { class: "pair" },
      card("Viral coefficient", "New users that a new user brings, by week of sign-up", places.k),
      card("North star", "", places.star)));
  fillPage(places, { ask, range, unit, signal, behind: status.lag.lake_to_build_seconds });
  return page;
}

function funnelCard(places, unit, choose) {
  const units = choices("Count", [["person", "People"], ["account", "Accounts"]], unit, (value) => choose({ unit: value }));
  return el("section", { class: "card", "aria-labelledby": "funnel-title" },
    el("header", {}, el("div", {}, el("h2", { id: "funnel-title" }, "From sign-up to paid"),
                     el("p", {}, "Solid: came through every step before. Striped: got there another way.")), units),
    places.funnel,
    el("div", { class: "divided" }, el("header", {}, el("h2", {}, "By channel"), el("p", { class: "small quiet" }, "First touch of each; shares of its own first step")), places.channels));
}

function card(heading, text, place) {
  return el("section", { class: "card" }, el("header", {}, el("div", {}, el("h2", {}, heading), el("p", {}, text))), place);
}

function fillPage(places, { ask, range, unit, signal, behind }) {
  const settle = (work) => work.catch((error) => { if (!signal.aborted) window.dispatchEvent(new CustomEvent("apifailure", { detail: error })); });
  settle(fillTiles(places.tiles, { ask, range, unit, signal }));
  settle(fillWith(places.funnel, "30rem", signal, async () => funnelParts(await ask(`funnels/${FUNNEL}`, { unit }), unit, behind)));
  settle(fillWith(places.channels, "16rem", signal, async () => {
    const answer = await ask(`funnels/${FUNNEL}`, { unit, by: "channel" });
    return isEmpty(answer) ? el("p", { class: "body quiet" }, "No channels in this range.") : channelTable(answer);
  }));
  settle(fillWith(places.k, "18rem", signal, async () => viral(await ask("metrics/viral-coefficient", { grain: range.grain }))));
  settle(fillWith(places.star, "18rem", signal, async () => northStar(await ask("metrics/north-star", { compare: "previous" }), places.star)));
}

function funnelParts(answer, unit, behind) {
  if (isEmpty(answer)) return emptyRange(unit, behind);
  return [el("div", { class: "body" }, funnelFigure(answer, unit), stateBar(answer), warnings(answer)), funnelTable(answer)];
}

function warnings({ warnings: told = [] }) {
  return told.length ? el("ul", { class: "small quiet" }, told.map((text) => el("li", {}, typeof text === "string" ? text : text.message))) : null;
}

async function fillTiles(place, { ask, range, unit, signal }) {
  place.replaceChildren(...Array.from({ length: 4 }, () => waiting("7.25rem")));
  const before = await earlier(range, signal);
  const compare = before ? "previous" : null;
  const tiles = await Promise.all([
    guarded(signal, async () => {
      const [now, then] = await Promise.all([ask(`funnels/${FUNNEL}`, { unit }), before ? ask(`funnels/${FUNNEL}`, { unit, ...before }) : null]);
      return funnelTiles(now, then, unit);
    }),
    guarded(signal, async () => metricTile("Viral coefficient", await ask("metrics/viral-coefficient", { grain: range.grain, compare }))),
    guarded(signal, async () => starTile(await ask("metrics/north-star", { compare: "previous" }))),
  ]);
  if (!signal.aborted) place.replaceChildren(...tiles.flat());
}

/** One number that fails does not take the others along; a key that is refused does. */
async function guarded(signal, load) {
  try { return await load(); } catch (error) {
    if (signal.aborted || error.status === 401) throw error;
    return failure(error);
  }
}

/** The range before, of the same length; null where the data does not reach back so far, for then any change would be a fiction. */
async function earlier({ from, to }, signal) {
  if (!from) return null;
  const start = shift(from, -Math.round((Date.parse(to) - Date.parse(from)) / 86400000));
  const history = await get("metrics/north-star", {}, { signal }).catch(() => ({ series: [] }));
  return history.series.length && history.series[0].start <= start ? { from: start, to: from } : null;
}

function funnelTiles(now, then, unit) {
  const last = now.steps.at(-1);
  const entered = byPath(now.steps[0]);
  const earlier = then ? byPath(then.steps[0]) : null;
  const grew = earlier ? arrow(entered - earlier, "up", percent(Math.abs(entered / earlier - 1), 0), `${count(earlier)} in the range before`) : null;
  const aged = now.mature;
  return [
    tile({ name: unit === "account" ? "New accounts" : "New people", value: compact(entered), change: grew, more: `${title(now.steps[0].label)} in this range` }),
    tile({ name: `${title(now.steps[0].label)} to ${last.label}`, value: percent(now.conversion), more: aged?.conversion == null ? "No one's time is up yet" : `${percent(aged.conversion)} of those whose time is up` }),
  ];
}

function starTile(answer) {
  return tile({ name: "North star", question: answer.question, ...said(answer, `in the ${answer.settings.per} before`), more: `${answer.settings.title}, last full ${answer.settings.per}` });
}

function metricTile(name, answer) { return tile({ name, question: answer.question, ...said(answer) }); }

function viral(answer) {
  const chart = el("figure", { class: "chart", "aria-label": "Viral coefficient over time" });
  const parts = answer.parts ?? {};
  const facts = [["new accounts", decimal(parts.k_out)], ["same account", decimal(parts.k_in)],
                 ["cycle time", parts.cycle_days_median == null ? "–" : `${decimal(parts.cycle_days_median)} d`]];
  return chartCard(answer, chart, lineOverTime(answer.series, { name: "K" }), facts);
}

function northStar(answer, place) {
  const chart = el("figure", { class: "chart", "aria-label": "North star over time" });
  place.previousElementSibling.querySelector("p").textContent = answer.settings.title;
  const best = Math.max(0, ...answer.series.map((point) => point.value ?? 0));
  return chartCard(answer, chart, columnsOverTime(answer.series, { name: "North star" }), [["best week", count(best)], ...(answer.target === null ? [] : [["target", count(answer.target)]])]);
}

function chartCard(answer, chart, specify, facts) {
  if (!answer.series.some((point) => point.value !== null)) return el("p", { class: "body quiet" }, said(answer).reason || "No values in this range.");
  // The chart is drawn once it stands in the page, since it takes its width from there.
  queueMicrotask(() => draw(chart, specify).catch((error) => chart.replaceChildren(failure(error))));
  return el("div", { class: "body" },
    el("dl", { class: "facts figures" }, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    chart, el("p", { class: "small faint" }, chartNote(answer.series)));
}

/** The same question is asked once per page, though two places show its answer. */
function memo(ask) {
  const asked = new Map();
  return (path, extra = {}) => {
    const name = JSON.stringify([path, extra]);
    if (!asked.has(name)) asked.set(name, ask(path, extra));
    return asked.get(name);
  };
}

