// The events and properties that exist, as lists to choose from.
import { get } from "../api.js";
import { compact } from "../format.js";

const ROOTS = [
  ["properties.", "Of the event"],
  ["person.", "Of the person, then"],
  ["person_now.", "Of the person, now"],
  ["account.", "Of the account, then"],
  ["account_now.", "Of the account, now"],
  ["context.", "Context"],
];
const TRAITS = { "person.": "person_now.", "account.": "account_now." };

export async function loadCatalogue(signal) {
  const found = await get("catalogue", {}, { signal });
  const properties = [...found.properties, ...now(found.properties)];
  const byName = new Map(properties.map((one) => [one.property, one]));
  const events = found.items.map(({ event, kind, events: number }) => ({
    value: event,
    note: `${!kind || kind === "track" ? "" : `${kind} · `}${compact(number)}`,
  }));
  return {
    events: [...events, { value: "*", note: "any event" }],
    properties: [...grouped(properties), ...found.cohorts.map((name) => ({ value: `cohort:${name}`, group: "Cohorts" }))],
    property: (name) => byName.get(name),
    stages: found.stages,
  };
}

/** Traits at the time of the event are also asked for as they are now. */
function now(properties) {
  const held = new Set(properties.map(({ property }) => property));
  return properties.flatMap((one) => {
    const root = Object.keys(TRAITS).find((name) => one.property.startsWith(name));
    const twin = root && TRAITS[root] + one.property.slice(root.length);
    return twin && !held.has(twin) ? [{ ...one, property: twin }] : [];
  });
}

function grouped(properties) {
  const place = (name) => ROOTS.findIndex(([root]) => name.startsWith(root));
  return properties
    .map(({ property, types }) => {
      const at = place(property);
      return { value: property, note: types.join(", "), group: at < 0 ? "Columns" : ROOTS[at][1], at: at < 0 ? 5.5 : at };
    })
    .sort((a, b) => a.at - b.at || a.value.localeCompare(b.value));
}
