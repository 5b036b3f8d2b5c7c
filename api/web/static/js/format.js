// Numbers, times and spans in words. Dates are shown in the project's reporting zone, like every date in the API.

const LOCALE = "en-GB";
export const NONE = "–";

let zone = "UTC";
export function useZone(name) {
  zone = name || "UTC";
}
export function currentZone() {
  return zone;
}

const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });

export const count = (value) => (value === null || value === undefined ? NONE : whole.format(value));
export const compact = (value) => (value < 10000 ? count(value) : short.format(value));

/** Two places below ten, one below a hundred: K is read as 0.41, 12.5 days as 12.5. */
export function decimal(value) {
  if (value === null || value === undefined) return NONE;
  const places = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return value.toLocaleString(LOCALE, { minimumFractionDigits: places, maximumFractionDigits: places });
}

export function percent(share, places = 1) {
  if (share === null || share === undefined) return NONE;
  return share.toLocaleString(LOCALE, { style: "percent", minimumFractionDigits: places, maximumFractionDigits: places });
}

/** `[0.39, 0.451]` as "39.0–45.1%". */
/** Of a whole that is large: two places, and never nothing for something. */
export function share(part) {
  return part > 0 && part < 0.0001 ? "<0.01%" : percent(part, 2);
}

export function percentInterval(interval) {
  if (!interval) return NONE;
  const [low, high] = interval.map((bound) => (bound * 100).toFixed(1));
  return `${low}–${high}%`;
}

const SPANS = [
  [86400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
];

/** Seconds as a reader says them: "3.2 d", "1.5 h", "40 min", "12 s". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const [size, unit] = SPANS.find(([span]) => Math.abs(seconds) >= span) ?? [1, "s"];
  const amount = seconds / size;
  return `${amount.toLocaleString(LOCALE, { maximumFractionDigits: amount < 10 ? 1 : 0 })} ${unit}`;
}

export function bytes(amount) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, amount)) / 3)));
  return `${(amount / 1000 ** power).toLocaleString(LOCALE, { maximumFractionDigits: power ? 1 : 0 })} ${units[power]}`;
}

function inZone(options) {
  return (time) => (time ? new Intl.DateTimeFormat(LOCALE, { timeZone: zone, ...options }).format(new Date(time)) : NONE);
}

export const moment = inZone({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
export const clock = inZone({ hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** A plain date ("2026-01-05") has no zone: it is read and written as UTC so that it stays the same day. */
export function day(date) {
  const options = { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" };
  return new Date(`${date}T00:00:00Z`).toLocaleDateString(LOCALE, options);
}

export function ago(time, now) {
  const seconds = Math.max(0, (new Date(now) - new Date(time)) / 1000);
  return seconds < 2 ? "now" : `${duration(seconds)} ago`;
}

/** "missing_identity" as "missing identity", "organic search" unchanged, null as "(none)". */
export function words(name) {
  if (name === null || name === undefined || name === "") return "(none)";
  return String(name).replaceAll("_", " ");
}

export function title(name) {
  const said = words(name);
  return said.length <= 3 ? said.toUpperCase() : said[0].toUpperCase() + said.slice(1);
}
