// Build elements without HTML text: whatever an event calls itself, it ends up as text.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Attributes named `on…` listen, `style` takes an object, null ones are left out; children are nodes or texts. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A fresh element each time: pass it to `replaceChildren`. */
export function icon(name) {
  return svg(
    "svg",
    {
      viewBox: "0 0 24 24",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": "1.8",
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
      "aria-hidden": "true",
    },
    ICONS[name].map((d) => svg("path", { d })),
  );
}

const ICONS = {
  overview: ["M4 5h16l-5.5 7v6l-5 2v-8z"],
  funnels: ["M4 4v16h16", "M9 16V7", "M14 16v-5", "M19 16v-2"],
  ingestion: ["M3 12h4l3-8 4 16 3-8h4"],
  people: [
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
    "M2.5 20c.5-3.5 3-5.5 6.5-5.5s6 2 6.5 5.5",
    "M16 4.5a3.5 3.5 0 0 1 0 6.5",
    "M18 15c2 .7 3.2 2.4 3.5 5",
  ],
  data: ["M4 6.5C4 5 7.6 4 12 4s8 1 8 2.5S16.4 9 12 9 4 8 4 6.5z", "M4 6.5v11C4 19 7.6 20 12 20s8-1 8-2.5v-11", "M8.5 14l2.5 2.5 4.5-4.5"],
  theme: ["M12 3a9 9 0 1 0 0 18z", "M12 3a9 9 0 0 1 0 18"],
  leave: ["M14 4h5v16h-5", "M10 8l-4 4 4 4", "M6 12h9"],
};
