// node rudder_send.mjs URL KEY PACE: the real @rudderstack/rudder-sdk-node; PACE as in rudder_send.py.
import Analytics from "@rudderstack/rudder-sdk-node";
import { play } from "./pace.mjs";

const [dataPlaneUrl, key, pace] = process.argv.slice(2);
const errors = [];
const options = { dataPlaneUrl, flushAt: 10, flushInterval: 300, logLevel: "none", errorHandler: (error) => errors.push(String(error)) };
Object.assign(options, { retryCount: 10_000, axiosRetryConfig: { retryDelay: () => 300 } });
const analytics = new Analytics(key, options);
const timestamp = new Date("2025-03-30T01:30:00.123Z");
let made = [];
const drained = async () => {
  while (analytics.queue.length) await analytics.flush().catch(() => {});
  await (analytics.pendingFlush ?? Promise.resolve()).catch(() => {});
};
const call = (kind, message) => {
  made.push({ messageId: `node-${pace}-${made.length}-${Date.now()}`, ...message });
  analytics[kind](made.at(-1));
};

if (pace === "once") {
  call("identify", { userId: "user-1", anonymousId: "anon-1", traits: { email: "zoë@example.com", name: "Zoë 🦔" }, timestamp });
  call("track", { userId: "user-1", event: "Signed Up", properties: { plan: "pro", price: 19.99, emoji: "🦔 café" } });
  call("track", { userId: "undefined", event: "Ghost Seen" });
  call("track", { userId: 42, event: "Project Created", context: { groupId: "acme" } });
  call("track", { anonymousId: "anon-2", event: "Visited", properties: { n: 2, deep: { a: [1, [2]] } } });
  call("group", { userId: "user-1", groupId: "acme", traits: { name: "Acme GmbH" } });
  call("page", { userId: "user-1", category: "Docs", name: "Getting started", properties: { path: "/docs" } });
  call("screen", { userId: "user-1", category: "App", name: "Home" });
  call("alias", { userId: "user-1", previousId: "user-0" });
} else if (pace === "many") {
  for (let number = 0; number < 11; number++) call("track", { userId: "user-1", event: "Filled", properties: { text: "x".repeat(30_000) } });
} else {
  const tick = (n, userId, text) => analytics.track({ userId, event: "Ticked", properties: { n, text } });
  made = await play(pace, tick, drained);
}
await drained();
console.log(JSON.stringify({ made, errors }));
