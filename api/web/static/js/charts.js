// Charts over time, as Vega-Lite specifications. The library (0.9 MB) is loaded when the first chart is drawn.
import { el } from "./dom.js";
import { failure } from "./states.js";

let loading = null;
const drawn = new Map(); // place -> {specification, view}

function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = el("script", { src: "/assets/vega.js", onload: () => resolve(window.vegaEmbed), onerror: () => reject(new Error("The chart library did not load.")) });
    document.head.append(script);
  });
  return loading;
}

/** Draw into `place` as soon as it has a width, and again when the colours change. `specify(colours)` gives the Vega-Lite specification. */
export function chart(label, specify) {
  const place = el("figure", { class: "chart", "aria-label": label });
  const sized = new ResizeObserver(() => {
    if (!place.clientWidth) return;
    sized.disconnect();
    draw(place, specify).catch((error) => place.replaceChildren(failure(error)));
  });
  sized.observe(place);
  return place;
}

async function draw(place, specify) {
  const embed = await library();
  const specification = { $schema: "https://vega.github.io/schema/vega-lite/v6.json", background: null, width: "container", autosize: { type: "fit", contains: "padding" }, ...specify(colours()), config: look(colours()) };
  const { view } = await embed(place, specification, { actions: false, renderer: "svg", defaultStyle: false, tooltip: { disableDefaultStyle: true, theme: "custom" } });
  drawn.get(place)?.view.finalize();
  drawn.set(place, { specify, view });
}

function redraw() {
  for (const [place, { specify, view }] of drawn) {
    if (place.isConnected) draw(place, specify);
    else { view.finalize(); drawn.delete(place); }
  }
}
window.addEventListener("themechange", redraw);

/** The tokens' colours as they are right now: Vega cannot read custom properties. */
function colours() {
  const probe = document.body.appendChild(el("i"));
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["ink", "ink-2", "ink-3", "line", "accent", "second", "surface"];
  const found = Object.fromEntries(names.map((name) => [name.replace("-", ""), read(name)]));
  probe.remove();
  return found;
}

function look({ ink3, ink2, line }) {
  const font = getComputedStyle(document.body).fontFamily;
  return {
    font, view: { stroke: null },
    axis: { labelColor: ink3, labelFontSize: 11, labelFont: font, titleColor: ink2, domainColor: line, tickColor: line, gridColor: line, title: null, labelPadding: 6 },
    axisX: { grid: false, tickSize: 4, labelFlush: true, labelOverlap: true },
    axisY: { domain: false, ticks: false, tickCount: 4 },
    legend: { labelColor: ink2, labelFontSize: 12, title: null },
  };
}

const TICKS = 6;
const DAY = "utcFormat(toDate(datum.value), '%-d %b')";

/** Periods' own first days, thinned: ticks of the library's choosing would fall between them. */
function ticks(values) {
  const step = Math.max(1, Math.ceil(values.length / TICKS));
  return values.filter((_, index) => index % step === 0).map(({ start }) => start);
}

function timeAxis(values) {
  return { field: "start", type: "temporal", scale: { type: "utc" }, axis: { labelExpr: DAY, values: ticks(values).map((start) => Date.parse(start)) } };
}

/** A line with its interval as a band; periods that are not over yet are hollow and joined by dashes. */
export function lineOverTime(series, { name, format = ".2f" }) {
  const values = series.filter((point) => point.value !== null).map(({ start, value, interval, complete, numerator, denominator }) =>
    ({ start, value, low: interval?.[0] ?? null, high: interval?.[1] ?? null, complete, numerator, denominator }));
  const complete = values.map((point) => point.complete);
  const solid = [complete.indexOf(true), complete.lastIndexOf(true)];
  // Dashes lead to the first solid point and away from the last one; without any, all is dashes.
  const dashed = solid[0] < 0 ? [values] : [values.slice(0, solid[0] + 1), values.slice(solid[1])];
  const tooltip = [{ field: "start", type: "temporal", title: "Week of", format: "%-d %b %Y" }, { field: "value", title: name, format },
                   { field: "low", title: "from", format }, { field: "high", title: "to", format },
                   { field: "numerator", title: "Counted", format: "," }, { field: "denominator", title: "Out of", format: "," }];
  return ({ accent, surface }) => ({
    height: 220, data: { values }, encoding: { x: timeAxis(values) },
    layer: [
      { transform: [{ filter: "isValid(datum.low) && isValid(datum.high)" }], mark: { type: "area", color: accent, opacity: .13 },
        encoding: { y: { field: "low", type: "quantitative", axis: { format: ".1f" } }, y2: { field: "high" } } },
      { transform: [{ filter: "datum.complete" }], mark: { type: "line", color: accent, strokeWidth: 2.2 }, encoding: { y: { field: "value", type: "quantitative" } } },
      ...dashed.map((part) => ({ data: { values: part }, mark: { type: "line", color: accent, strokeWidth: 2, strokeDash: [3, 4] }, encoding: { y: { field: "value", type: "quantitative" } } })),
      { mark: { type: "point", filled: true, size: 46, stroke: accent, strokeWidth: 2, opacity: 1 },
        encoding: { y: { field: "value", type: "quantitative" }, tooltip, fill: { condition: { test: "datum.complete", value: accent }, value: surface } } },
    ],
  });
}

const COLUMN = { type: "bar", cornerRadiusTopLeft: 3, cornerRadiusTopRight: 3 };

/** Columns, one a period; those not over yet are outlined. */
export function columnsOverTime(series, { name, format = "," }) {
  const values = series.map(({ start, value, complete }) => ({ start, value, complete }));
  const tooltip = [{ field: "start", type: "temporal", title: "Week of", format: "%-d %b %Y" }, { field: "value", title: name, format }];
  return ({ second, surface }) => ({
    height: 220, data: { values },
    encoding: {
      x: { field: "start", type: "ordinal", scale: { paddingInner: .3 }, axis: { labelExpr: `indexof(${JSON.stringify(ticks(values))}, datum.value) < 0 ? '' : ${DAY}`, labelAngle: 0, labelOverlap: false } },
      y: { field: "value", type: "quantitative" }, tooltip,
    },
    layer: [
      { transform: [{ filter: "datum.complete" }], mark: { ...COLUMN, color: second } },
      { transform: [{ filter: "!datum.complete" }], mark: { ...COLUMN, fill: surface, stroke: second, strokeWidth: 1.5, strokeDash: [3, 3] } },
    ],
  });
}

export function chartNote(series) {
  return series.some((point) => !point.complete) ? "Hollow: a period not over yet, or only in part within this range." : "";
}
