// Draws Vega-Lite specifications in the page's own colours. The library (0.9 MB) is loaded when the first chart is drawn.
import { el } from "./dom.js";
import { failure } from "./states.js";

let loading = null;
const drawn = new Map(); // place -> {specification, view}

function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = el("script", {
      src: "/assets/vega.js",
      onload: () => resolve(window.vegaEmbed),
      onerror: () => reject(new Error("The chart library did not load.")),
    });
    document.head.append(script);
  });
  return loading;
}

/** A figure, drawn as soon as it has a width, and again when the colours change. `specify(colours)` gives its specification. */
export function chart(label, specify) {
  const place = el("figure", { class: "chart", "aria-label": label });
  const sized = new ResizeObserver(() => {
    if (!place.clientWidth) return;
    sized.disconnect();
    draw(place, label, specify).catch((error) => place.replaceChildren(failure(error)));
  });
  sized.observe(place);
  return place;
}

async function draw(place, label, specify) {
  const embed = await library();
  const specification = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: null,
    description: label, // becomes the accessible name, which the library sets
    width: "container",
    autosize: { type: "fit", contains: "padding" },
    ...specify(colours()),
    config: look(colours()),
  };
  const { view } = await embed(place, specification, {
    actions: false,
    renderer: "svg",
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true, theme: "custom" },
  });
  drawn.get(place)?.view.finalize();
  drawn.set(place, { label, specify, view });
}

/** A specification as a file: "svg", or "png" at twice its size; on the page's own ground. */
export async function exported(specify, form) {
  const embed = await library();
  const place = el("div");
  const ground = getComputedStyle(document.body).backgroundColor;
  const specification = { ...specify(colours()), background: ground, config: look(colours()) };
  const { view } = await embed(place, specification, { actions: false, renderer: "svg" });
  try {
    if (form === "svg") return new Blob([await view.toSVG()], { type: "image/svg+xml" });
    const canvas = await view.toCanvas(2);
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  } finally {
    view.finalize();
  }
}

function redraw() {
  for (const [place, { label, specify, view }] of drawn) {
    if (place.isConnected) draw(place, label, specify);
    else {
      view.finalize();
      drawn.delete(place);
    }
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
    font,
    view: { stroke: null },
    axis: {
      labelColor: ink3,
      labelFontSize: 11,
      labelFont: font,
      titleColor: ink2,
      domainColor: line,
      tickColor: line,
      gridColor: line,
      title: null,
      labelPadding: 6,
    },
    axisX: { grid: false, tickSize: 4, labelFlush: true, labelOverlap: true },
    axisY: { domain: false, ticks: false, tickCount: 4 },
    legend: { labelColor: ink2, labelFontSize: 12, title: null },
  };
}
