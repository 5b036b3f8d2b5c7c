// Events per day as columns, with a stroke across each where its weekday usually ends.
import { day } from "./format.js";

const DAY = "utcFormat(toDate(datum.value), '%-d %b')";

/** `days` as `GET /api/quality` gives them, the latest first. */
export function volumeByDay(days) {
  const values = [...days].reverse().map((one) => ({ ...one, said: day(one.day) }));
  const weekly = values.filter((_, index) => index % 7 === 0).map((one) => one.day);
  const tooltip = [
    { field: "said", title: "Day" },
    { field: "events", title: "Events", format: "," },
    { field: "usual", title: "Usual for the weekday", format: "," },
  ];
  return ({ second, ink }) => ({
    height: 200,
    data: { values },
    encoding: {
      x: {
        field: "day",
        type: "ordinal",
        scale: { paddingInner: 0.3 },
        axis: {
          labelExpr: `indexof(${JSON.stringify(weekly)}, datum.value) < 0 ? '' : ${DAY}`,
          labelAngle: 0,
          labelOverlap: false,
        },
      },
      tooltip,
    },
    layer: [
      {
        mark: { type: "bar", cornerRadiusTopLeft: 3, cornerRadiusTopRight: 3, color: second },
        encoding: { y: { field: "events", type: "quantitative" } },
      },
      {
        transform: [{ filter: "isValid(datum.usual)" }],
        mark: { type: "tick", color: ink, thickness: 2, opacity: 0.75 },
        encoding: { y: { field: "usual", type: "quantitative" } },
      },
    ],
  });
}
