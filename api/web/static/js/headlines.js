// The four headline numbers above the funnel, each beside what it was in the range before.
import { get } from "./api.js";
import { compact, count, percent, title } from "./format.js";
import { byPath } from "./funnel.js";
import { arrow, said, tile } from "./metrics.js";
import { shift } from "./range.js";
import { failure, waiting } from "./states.js";

const DAY = 86400000;

/** `ask(path, parameters)` asks within the page's range; numbers that fail are told in their own tile. */
export async function fillHeadlines(place, { ask, funnel, range, unit, signal }) {
  place.replaceChildren(...Array.from({ length: 4 }, () => waiting("8.375rem")));
  const before = await earlier(range, signal);
  const comparable = before !== null;
  const tiles = await Promise.all([
    guarded(signal, async () => {
      const [now, then] = await Promise.all([ask(funnel, { unit }), comparable ? ask(funnel, { unit, ...before }) : null]);
      return funnelTiles(now, then, unit);
    }),
    guarded(signal, async () =>
      viralTile(await ask("metrics/viral-coefficient", { grain: range.grain, compare: "previous" }), comparable),
    ),
    guarded(signal, async () => starTile(await ask("metrics/north-star", { compare: "previous" }))),
  ]);
  if (!signal.aborted) place.replaceChildren(...tiles.flat());
}

/** One number that fails does not take the others along; a key that is refused does. */
async function guarded(signal, load) {
  try {
    return await load();
  } catch (error) {
    if (signal.aborted || error.status === 401) throw error;
    return failure(error);
  }
}

/** The range before, of the same length; null where the data does not reach back so far: then any change would be fiction. */
async function earlier({ from, to }, signal) {
  if (!from) return null;
  const start = shift(from, -Math.round((Date.parse(to) - Date.parse(from)) / DAY));
  const history = await get("metrics/north-star", {}, { signal }).catch(() => ({ series: [] }));
  return history.series.length && history.series[0].start <= start ? { from: start, to: from } : null;
}

function funnelTiles(now, then, unit) {
  const [first, last] = [now.steps[0], now.steps.at(-1)];
  const entered = byPath(first);
  const before = then ? byPath(then.steps[0]) : 0;
  const change = before
    ? arrow(entered - before, "up", percent(Math.abs(entered / before - 1), 0), `${count(before)} in the range before`)
    : null;
  const aged = now.mature?.conversion ?? null;
  return [
    tile({
      name: unit === "account" ? "New accounts" : "New people",
      value: compact(entered),
      change,
      more: `${title(first.label)} in this range`,
    }),
    tile({
      name: `${title(first.label)} → ${title(last.label)}`,
      value: percent(now.conversion),
      more: aged === null ? "By path; no one’s time is up yet" : `By path; ${percent(aged)} of those whose time is up`,
    }),
  ];
}

function viralTile(answer, comparable) {
  const { change, ...rest } = said(answer);
  return tile({ name: "Viral coefficient", question: answer.question, ...rest, change: comparable ? change : null });
}

/** The last period that is over: one that still runs would always look like a fall. */
function starTile(answer) {
  const { per, title: measured } = answer.settings;
  return tile({
    name: "North star",
    question: answer.question,
    ...said(answer, `in the ${per} before`),
    more: `${measured}, last full ${per}`,
  });
}
