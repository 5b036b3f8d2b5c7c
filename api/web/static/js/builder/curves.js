// The charts beside the funnel, as Vega-Lite specifications: its trend, the time to convert, and the funnel itself to keep.
import { count, day, duration, percent } from "../format.js";

const SPANS = [
  [86400, "days"],
  [3600, "hours"],
  [60, "minutes"],
  [1, "seconds"],
];

/** The largest unit of which the longest time holds two: times on an axis are then small numbers. */
function unitOf(longest) {
  return SPANS.find(([size]) => longest >= 2 * size) ?? SPANS.at(-1);
}

/** Conversion by bucket as a line over columns of entrants; buckets whose windows are open are hollow. */
export function trend(buckets) {
  const values = buckets.map((one) => ({ ...one, day: day(one.start), share: one.conversion }));
  const every = Math.max(1, Math.ceil(values.length / 6));
  const ticks = values.filter((_, at) => at % every === 0).map(({ start }) => start);
  const tooltip = [
    { field: "day", title: "Begins" },
    { field: "share", title: "Converted", format: ".1%" },
    { field: "converted", title: "Converted", format: "," },
    { field: "entrants", title: "Entered", format: "," },
    { field: "pending", title: "Still have time", format: "," },
  ];
  return ({ accent, surface, line }) => ({
    height: 200,
    data: { values },
    encoding: {
      x: {
        field: "start",
        type: "ordinal",
        scale: { paddingInner: 0.3 },
        axis: {
          labelExpr: `indexof(${JSON.stringify(ticks)}, datum.value) < 0 ? '' : utcFormat(toDate(datum.value), '%-d %b')`,
          labelAngle: 0,
          labelOverlap: false,
        },
      },
      tooltip,
    },
    layer: [
      {
        mark: { type: "bar", color: line, cornerRadiusTopLeft: 3, cornerRadiusTopRight: 3 },
        encoding: { y: { field: "entrants", type: "quantitative", axis: { orient: "right", format: "~s", grid: false } } },
      },
      {
        transform: [{ filter: "isValid(datum.share)" }],
        layer: [
          { mark: { type: "line", color: accent, strokeWidth: 2.2 } },
          {
            mark: { type: "point", filled: true, size: 52, stroke: accent, strokeWidth: 2, opacity: 1 },
            encoding: { fill: { condition: { test: "datum.complete", value: accent }, value: surface } },
          },
        ],
        encoding: { y: { field: "share", type: "quantitative", scale: { zero: true }, axis: { format: ".0%" } } },
      },
    ],
    resolve: { scale: { y: "independent" } },
  });
}

/** How long those who converted took: columns of equal width, the median as a rule. */
export function histogram({ bins, median }) {
  const [size, unit] = unitOf(bins.at(-1)?.to ?? 1);
  const values = bins.map((one) => ({
    from: one.from / size,
    to: one.to / size,
    count: one.count,
    told: `${duration(one.from)} to ${duration(one.to)}`,
  }));
  return ({ second, ink2 }) => ({
    height: 200,
    layer: [
      {
        data: { values },
        mark: { type: "bar", color: second, binSpacing: 1 },
        encoding: {
          x: { field: "from", type: "quantitative", bin: "binned", axis: { format: ".4~g", title: unit } },
          x2: { field: "to" },
          y: { field: "count", type: "quantitative", stack: null, axis: { format: "~s", tickMinStep: 1 } },
          tooltip: [
            { field: "told", title: "After" },
            { field: "count", title: "Converted", format: "," },
          ],
        },
      },
      {
        data: { values: median === null ? [] : [{ at: median / size, told: duration(median) }] },
        mark: { type: "rule", color: ink2, strokeDash: [4, 3], strokeWidth: 1.5 },
        encoding: { x: { field: "at", type: "quantitative" }, tooltip: [{ field: "told", title: "Median" }] },
      },
    ],
  });
}

/** The share converted by a time, with its interval: Kaplan-Meier, which also counts those who could not be watched to the end. */
export function survival(points) {
  const [size, unit] = unitOf(points.at(-1)?.seconds ?? 1);
  const values = points.map((one) => ({ ...one, at: one.seconds / size, told: duration(one.seconds) }));
  const y = { type: "quantitative", axis: { format: ".0%" } };
  return ({ accent }) => ({
    height: 200,
    data: { values },
    encoding: { x: { field: "at", type: "quantitative", axis: { title: unit, grid: false, format: ".4~g" } } },
    layer: [
      {
        mark: { type: "area", color: accent, opacity: 0.14, interpolate: "step-after" },
        encoding: { y: { ...y, field: "low" }, y2: { field: "high" } },
      },
      {
        mark: { type: "line", color: accent, strokeWidth: 2.2, interpolate: "step-after" },
        encoding: { y: { ...y, field: "converted" } },
      },
      {
        mark: { type: "point", opacity: 0, size: 140 },
        encoding: {
          y: { ...y, field: "converted" },
          tooltip: [
            { field: "told", title: "Within" },
            { field: "converted", title: "Converted", format: ".1%" },
            { field: "low", title: "At least", format: ".1%" },
            { field: "high", title: "At most", format: ".1%" },
          ],
        },
      },
    ],
  });
}

/** The funnel as a picture of its own, for a document: columns with counts and shares, what is pending lighter. */
export function picture(answer, { title, subtitle }) {
  const last = answer.steps.length - 1;
  const values = answer.steps.map((one, at) => ({
    step: `${at + 1} ${one.label}`,
    share: one.from_start ?? 0,
    open: at === last && answer.entrants ? (one.reached + answer.pending) / answer.entrants : null,
    told: `${count(one.reached)} · ${percent(one.from_start)}`,
  }));
  return ({ accent, ink, ink2 }) => ({
    width: Math.max(480, 150 * values.length),
    height: 300,
    padding: 24,
    title: {
      text: title,
      subtitle,
      anchor: "start",
      color: ink,
      subtitleColor: ink2,
      fontSize: 16,
      subtitlePadding: 6,
      offset: 18,
    },
    data: { values },
    encoding: {
      x: {
        field: "step",
        type: "ordinal",
        sort: null,
        axis: { labelAngle: 0, labelLimit: 150 },
        scale: { paddingInner: 0.25 },
      },
    },
    layer: [
      { mark: { type: "bar", color: accent, opacity: 0.25 }, encoding: { y: { field: "open", type: "quantitative" } } },
      {
        mark: { type: "bar", color: accent, cornerRadiusTopLeft: 4, cornerRadiusTopRight: 4 },
        encoding: { y: { field: "share", type: "quantitative", axis: { format: ".0%" }, scale: { domain: [0, 1] } } },
      },
      {
        mark: { type: "text", dy: -10, color: ink, fontSize: 12 },
        encoding: { y: { field: "share", type: "quantitative" }, text: { field: "told" } },
      },
    ],
  });
}
