// A metric over time, as Vega-Lite specifications: a line with its interval, or columns.
import { day } from "./format.js";

const TICKS = 6;
const DAY = "utcFormat(toDate(datum.value), '%-d %b')";

/** Periods' own first days, thinned: ticks of the library's choosing would fall between them. */
function ticks(values) {
  const step = Math.max(1, Math.ceil(values.length / TICKS));
  return values.filter((_, index) => index % step === 0).map(({ start }) => start);
}

function timeAxis(values) {
  return {
    field: "start",
    type: "temporal",
    scale: { type: "utc" },
    axis: { labelExpr: DAY, values: ticks(values).map((start) => Date.parse(start)) },
  };
}

/** A line with its interval as a band; periods that are not over yet are hollow and joined by dashes. */
export function lineOverTime(series, { name, format = ".2f" }) {
  const values = series
    .filter((point) => point.value !== null)
    .map(({ start, value, interval, complete, numerator, denominator }) => ({
      start,
      day: day(start),
      value,
      low: interval?.[0] ?? null,
      high: interval?.[1] ?? null,
      complete,
      numerator,
      denominator,
    }));
  const complete = values.map((point) => point.complete);
  const solid = [complete.indexOf(true), complete.lastIndexOf(true)];
  // Dashes lead to the first solid point and away from the last one; without any, all is dashes.
  const dashed = solid[0] < 0 ? [values] : [values.slice(0, solid[0] + 1), values.slice(solid[1])];
  const tooltip = [
    { field: "day", title: "Begins" },
    { field: "value", title: name, format },
    { field: "low", title: "At least", format },
    { field: "high", title: "At most", format },
    { field: "numerator", title: "Counted", format: "," },
    { field: "denominator", title: "Out of", format: "," },
  ];
  return ({ accent, surface }) => ({
    height: 220,
    data: { values },
    encoding: { x: timeAxis(values) },
    layer: [
      {
        transform: [{ filter: "isValid(datum.low) && isValid(datum.high)" }],
        mark: { type: "area", color: accent, opacity: 0.13 },
        encoding: { y: { field: "low", type: "quantitative", axis: { format: ".1f" } }, y2: { field: "high" } },
      },
      {
        transform: [{ filter: "datum.complete" }],
        mark: { type: "line", color: accent, strokeWidth: 2.2 },
        encoding: { y: { field: "value", type: "quantitative" } },
      },
      ...dashed.map((part) => ({
        data: { values: part },
        mark: { type: "line", color: accent, strokeWidth: 2, strokeDash: [3, 4] },
        encoding: { y: { field: "value", type: "quantitative" } },
      })),
      {
        mark: { type: "point", filled: true, size: 46, stroke: accent, strokeWidth: 2, opacity: 1 },
        encoding: {
          y: { field: "value", type: "quantitative" },
          tooltip,
          fill: { condition: { test: "datum.complete", value: accent }, value: surface },
        },
      },
    ],
  });
}

const COLUMN = { type: "bar", cornerRadiusTopLeft: 3, cornerRadiusTopRight: 3 };

/** Columns, one a period; those not over yet are outlined. */
export function columnsOverTime(series, { name, format = "," }) {
  const values = series.map(({ start, value, complete }) => ({ start, day: day(start), value, complete }));
  const tooltip = [
    { field: "day", title: "Begins" },
    { field: "value", title: name, format },
  ];
  return ({ second, surface }) => ({
    height: 220,
    data: { values },
    encoding: {
      x: {
        field: "start",
        type: "ordinal",
        scale: { paddingInner: 0.3 },
        axis: {
          labelExpr: `indexof(${JSON.stringify(ticks(values))}, datum.value) < 0 ? '' : ${DAY}`,
          labelAngle: 0,
          labelOverlap: false,
        },
      },
      y: { field: "value", type: "quantitative" },
      tooltip,
    },
    layer: [
      { transform: [{ filter: "datum.complete" }], mark: { ...COLUMN, color: second } },
      {
        transform: [{ filter: "!datum.complete" }],
        mark: { ...COLUMN, fill: surface, stroke: second, strokeWidth: 1.5, strokeDash: [3, 3] },
      },
    ],
  });
}

export function chartNote(series) {
  return series.some((point) => !point.complete) ? "Hollow: a period not over yet, or only in part within this range." : "";
}
