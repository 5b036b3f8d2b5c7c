// The overview: headline numbers, the funnel for people and accounts, by channel, and the two series over time.
import { get } from "./api.js";
import { channelTable } from "./channels.js";
import { chart } from "./chart.js";
import { choices } from "./choices.js";
import { el } from "./dom.js";
import { count, decimal, NONE } from "./format.js";
import { funnelFigure, funnelTable, isEmpty, stateBar } from "./funnel.js";
import { fillHeadlines } from "./headlines.js";
import { said } from "./metrics.js";
import { rangeOf, rangePicker } from "./range.js";
import { go } from "./router.js";
import { chartNote, columnsOverTime, lineOverTime } from "./series.js";
import { emptyRange, gettingStarted, notBuilt } from "./start.js";
import { fillWith } from "./states.js";

const FUNNEL = "funnels/plg";

export async function overview({ query, signal, status, freshness }) {
  if (!status.received.total) return gettingStarted({ signal });
  if (status.lag.lake_to_build_seconds === null) return notBuilt(freshness);
  const choose = (change) => go("overview", [], { ...query, ...change });
  const range = rangeOf(query, status.now);
  const unit = query.unit === "account" ? "account" : "person";
  const places = {
    headlines: el("section", { class: "tiles", "aria-label": "Headline numbers" }),
    funnel: el("div"),
    channels: el("div"),
    viral: el("div"),
    star: el("div"),
    starTitle: el("p", {}, "…"),
  };
  fillPage(places, { range, unit, signal, behind: status.lag.lake_to_build_seconds });
  return el(
    "div",
    { class: "page" },
    el("header", {}, el("div", {}, el("h1", {}, "Overview"), freshness), rangePicker(query, status.now, choose)),
    places.headlines,
    funnelCard(places, unit, choose),
    el(
      "section",
      { class: "pair" },
      card("Viral coefficient", el("p", {}, `New users that a new user brings, by ${range.grain} of sign-up`), places.viral),
      card("North star", places.starTitle, places.star),
    ),
  );
}

function funnelCard(places, unit, choose) {
  const units = choices(
    "Count",
    [
      ["person", "People"],
      ["account", "Accounts"],
    ],
    unit,
    (value) => choose({ unit: value }),
  );
  return el(
    "section",
    { class: "card", "aria-labelledby": "funnel-title" },
    el(
      "header",
      {},
      el(
        "div",
        {},
        el("h2", { id: "funnel-title" }, "From sign-up to paid"),
        el("p", {}, "Solid: came through every step before. Striped: got there another way."),
      ),
      units,
    ),
    places.funnel,
    el(
      "div",
      { class: "divided" },
      el(
        "header",
        {},
        el("h2", {}, "By channel"),
        el("p", { class: "small quiet" }, "First touch of each; shares of its own first step"),
      ),
      places.channels,
    ),
  );
}

function card(heading, text, place) {
  return el("section", { class: "card" }, el("header", {}, el("div", {}, el("h2", {}, heading), text)), place);
}

function fillPage(places, { range, unit, signal, behind }) {
  const ask = once((path, more) => get(path, { from: range.from, to: range.to, ...more }, { signal }));
  const work = [
    fillHeadlines(places.headlines, { ask, funnel: FUNNEL, range, unit, signal }),
    fillWith(places.funnel, "40rem", signal, async () => funnelParts(await ask(FUNNEL, { unit }), unit, behind)),
    fillWith(places.channels, "26rem", signal, async () => channelParts(await ask(FUNNEL, { unit, by: "channel" }))),
    fillWith(places.viral, "22rem", signal, async () =>
      viral(await ask("metrics/viral-coefficient", { grain: range.grain, compare: "previous" })),
    ),
    fillWith(places.star, "22rem", signal, async () =>
      northStar(await ask("metrics/north-star", { compare: "previous" }), places.starTitle),
    ),
  ];
  for (const part of work) {
    part.catch((error) => {
      if (!signal.aborted) window.dispatchEvent(new CustomEvent("apifailure", { detail: error }));
    });
  }
}

function funnelParts(answer, unit, behind) {
  if (isEmpty(answer)) return emptyRange(unit, behind);
  const told = (answer.warnings ?? []).map((warning) => el("li", {}, String(warning)));
  return [
    el(
      "div",
      { class: "body" },
      funnelFigure(answer, unit),
      stateBar(answer),
      told.length ? el("ul", { class: "small quiet" }, told) : null,
    ),
    funnelTable(answer),
  ];
}

function channelParts(answer) {
  return isEmpty(answer) ? el("p", { class: "body quiet" }, "No channels in this range.") : channelTable(answer);
}

function viral(answer) {
  const { k_out: out, k_in: within, cycle_days_median: days } = answer.parts;
  const facts = [
    ["new accounts", decimal(out)],
    ["same account", decimal(within)],
    ["cycle time", days === null ? NONE : `${decimal(days)} d`],
  ];
  return chartParts(answer, "Viral coefficient over time", lineOverTime(answer.series, { name: "K" }), facts);
}

function northStar(answer, place) {
  place.textContent = answer.settings.title;
  const best = Math.max(0, ...answer.series.map((point) => point.value ?? 0));
  const facts = [
    [`best ${answer.settings.per}`, count(best)],
    ...(answer.target === null ? [] : [["target", count(answer.target)]]),
  ];
  return chartParts(answer, "North star over time", columnsOverTime(answer.series, { name: "North star" }), facts);
}

function chartParts(answer, label, specify, facts) {
  if (!answer.series.some((point) => point.value !== null))
    return el("p", { class: "body quiet" }, said(answer).reason || "No values in this range.");
  return el(
    "div",
    { class: "body" },
    el(
      "dl",
      { class: "facts figures" },
      facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    ),
    chart(label, specify),
    el("p", { class: "small faint" }, chartNote(answer.series)),
  );
}

/** The same question is asked once per page, though two places show its answer. */
function once(ask) {
  const asked = new Map();
  return (path, more = {}) => {
    const name = JSON.stringify([path, more]);
    if (!asked.has(name)) asked.set(name, ask(path, more));
    return asked.get(name);
  };
}
