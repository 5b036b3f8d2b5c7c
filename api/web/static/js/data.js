// Data: whether the numbers can be trusted today, from `GET /api/quality`. What is wrong comes first.
import { get } from "./api.js";
import { chart } from "./chart.js";
import { el } from "./dom.js";
import { ago, bytes, count, day, moment, percent, share, words } from "./format.js";
import { tile } from "./metrics.js";
import { volumeByDay } from "./volume.js";

export async function data({ signal, freshness }) {
  const found = await get("quality", {}, { signal });
  const { checks, names, rejections, runaway_ids: ids, now } = found;
  return el(
    "div",
    { class: "page" },
    el(
      "header",
      {},
      el("div", {}, el("h1", {}, "Data"), el("p", { class: "small" }, "Whether the numbers can be trusted today")),
      freshness,
    ),
    el("section", { class: "tiles", "aria-label": "Quality" }, tiles(found)),
    card("Volume", "Events per day, beside the median of the same weekday in the four weeks before", volume(found.volume)),
    el(
      "section",
      { class: "pair" },
      card(
        "New event names",
        "First seen in the last seven days",
        events(names.new, "first_seen", now, "No name is new."),
      ),
      card(
        "Vanished event names",
        "Ten times or more in the four weeks before, not in the last seven days",
        events(names.vanished, "last_seen", now, "Every name still comes."),
      ),
    ),
    card("Rejected", "In the last seven days, by reason", rejected(rejections.last_7_days, now)),
    ids.length ? card("Ids of too many", "Linked to more others than --runaway-links allows, so none of their links counts", runaways(ids)) : null,
    card("Checks", "Rules that every build must keep; a build that breaks one is not published", rules(checks, now)),
  );
}

function tiles({ checks, freshness, duplicates, rejections, disk, now }) {
  return [
    tile({
      name: "Checks",
      value: checks.at ? (checks.broken ? `${count(checks.broken)} broken` : "All hold") : "–",
      more: checks.at ? verdict(checks, now) : "no build has run yet",
    }),
    tile({
      name: "Complete until",
      value: freshness.complete_until ? ago(freshness.complete_until, now) : "–",
      more: freshness.held_back_by
        ? el("span", { class: "chip warn" }, `held back by ${freshness.held_back_by}`)
        : freshness.built_at
          ? `last build ${ago(freshness.built_at, now)}`
          : "not built yet",
    }),
    tile({
      name: "Duplicates",
      value: share(duplicates.share),
      more: `${count(duplicates.events)} left out, ${count(rejections.events)} rejected (${share(rejections.share)})`,
    }),
    tile({
      name: "Disk",
      value: bytes(disk.data_bytes),
      more: el("span", {}, `${bytes(disk.free_bytes)} free `, disk.low && el("span", { class: "chip bad" }, "running low")),
    }),
  ];
}

function verdict({ broken, items, at }, now) {
  const text = `${count(items.length)} rules, ${ago(at, now)}`;
  return broken ? el("span", { class: "chip bad" }, "the last good tables stay in force") : text;
}

function volume({ days, thresholds }) {
  if (days.every((one) => !one.events && !one.usual)) return el("p", { class: "body quiet" }, "No events in these weeks.");
  const odd = days.filter((one) => one.status === "low" || one.status === "high");
  const bounds = `below ${percent(thresholds.low, 0)} or above ${percent(thresholds.high, 0)} of its weekday`;
  return el(
    "div",
    { class: "body" },
    chart("Events per day and what is usual for the weekday", volumeByDay(days)),
    odd.length
      ? el(
          "ul",
          { class: "odd" },
          odd.map((one) =>
            el(
              "li",
              {},
              el("span", { class: `chip ${one.status === "low" ? "bad" : "warn"}` }, one.status),
              el("b", {}, day(one.day)),
              el("span", { class: "quiet figures" }, `${count(one.events)} events, usually ${count(one.usual)}`),
            ),
          ),
        )
      : el("p", { class: "small quiet" }, `No day is ${bounds}.`),
  );
}

function events(items, when, now, none) {
  if (!items.length) return el("p", { class: "body quiet" }, none);
  const heads = ["Event", when === "first_seen" ? "First seen" : "Last seen", "Events"];
  return table(
    heads,
    items.map((one) => [
      el("th", { scope: "row" }, one.event),
      el("td", { title: moment(one[when]) }, ago(one[when], now)),
      el("td", { class: "number" }, count(one.events)),
    ]),
  );
}

function rejected(items, now) {
  if (!items.length) return el("p", { class: "body quiet" }, "Nothing was rejected.");
  return table(
    ["Reason", "Last", "Events"],
    items.map((one) => [
      el("th", { scope: "row" }, words(one.reason)),
      el("td", { title: moment(one.last) }, ago(one.last, now)),
      el("td", { class: "number" }, count(one.events)),
    ]),
  );
}

function runaways(items) {
  return table(
    ["Id", "What to do", "Linked to"],
    items.map((one) => [
      el("th", { scope: "row", class: "mono" }, el("a", { href: `#/people/${encodeURIComponent(one.id)}` }, one.id)),
      el("td", {}, "No sender should share it: see which one sends it"),
      el("td", { class: "number" }, count(one.others)),
    ]),
  );
}

function rules({ items, at }, now) {
  if (!at) return el("p", { class: "body quiet" }, "No build has run yet.");
  const [holding, broken] = [items.filter((one) => one.status === "holds"), items.filter((one) => one.status !== "holds")];
  return el(
    "div",
    {},
    el("p", { class: "body small quiet" }, `Checked ${ago(at, now)} (${moment(at)}).`),
    broken.length ? ruleTable(broken) : null,
    holding.length
      ? el("details", { class: "numbers" }, el("summary", {}, `${count(holding.length)} rules hold`), ruleTable(holding))
      : null,
  );
}

function ruleTable(items) {
  const chip = (one) => el("span", { class: `chip ${one.status === "holds" ? "good" : "bad"}` }, one.status);
  return table(
    ["Rule", "Status", "Rows"],
    items.map((one) => [
      el(
        "th",
        { scope: "row", class: "rule" },
        words(one.name),
        el("p", { class: "small quiet" }, `finds ${one.finds}`),
        one.examples.map((text) => el("p", { class: "small bad mono" }, text)),
      ),
      el("td", {}, chip(one)),
      el("td", { class: "number" }, count(one.rows)),
    ]),
    "checks",
  );
}

function table(heads, rows, name = "") {
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": heads[0] },
    el(
      "table",
      { class: name || null },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          heads.map((text, index) => el("th", { scope: "col", class: index === 2 ? "number" : null }, text)),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map((cells) => el("tr", {}, cells)),
      ),
    ),
  );
}

function card(heading, text, ...content) {
  return el(
    "section",
    { class: "card" },
    el("header", {}, el("div", {}, el("h2", {}, heading), el("p", {}, text))),
    content,
  );
}
