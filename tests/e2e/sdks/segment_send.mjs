// node segment_send.mjs URL KEY PACE: the real @segment/analytics-node makes calls. PACE "once": one of each kind, which are
// printed; else as pace.mjs, and prints how many it made and what errors it met.
import { Analytics } from "@segment/analytics-node";
import { play } from "./pace.mjs";

const [host, writeKey, pace] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushAt: 5, flushInterval: 200 });
const timestamp = new Date("2025-03-30T01:30:00.123Z");
const call = (kind, message) =>
  new Promise((done) => analytics[kind](message, (error, context) => done(error ? { error: String(error) } : context.event)));

async function once() {
  const made = [
    call("identify", { userId: "user-1", anonymousId: "anon-1", traits: { email: "zoë@example.com", name: "Zoë 🦔" }, timestamp }),
    call("track", { userId: "user-1", event: "Signed Up", properties: { plan: "pro", price: 19.99, emoji: "🦔 café" }, timestamp }),
    call("track", { userId: "user-1", event: "Project Created", messageId: "node-1", context: { groupId: "acme" } }),
    call("track", { anonymousId: "anon-2", event: "Visited", properties: { n: 2, deep: { a: [1, [2]] } } }),
    call("group", { userId: "user-1", groupId: "acme", traits: { name: "Acme GmbH" } }),
    call("page", { userId: "user-1", category: "Docs", name: "Getting started", properties: { path: "/docs" } }),
    call("screen", { userId: "user-1", category: "App", name: "Home" }),
    call("alias", { userId: "user-1", previousId: "user-0" }),
  ];
  await analytics.closeAndFlush();
  return Promise.all(made);
}

async function played() {
  const calls = [];
  const tick = (n, userId, text) => void calls.push(call("track", { userId, event: "Ticked", properties: { n, text } }));
  const made = await play(pace, tick, () => analytics.flush());
  await analytics.closeAndFlush({ timeout: 300_000 });
  return { made, errors: (await Promise.all(calls)).flatMap(({ error }) => error ?? []) };
}

console.log(JSON.stringify(await (pace === "once" ? once() : played())));
