// node send.mjs URL KEY: the real @segment/analytics-node makes one call of each kind; prints what it made.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushAt: 5 });
const timestamp = new Date("2025-03-30T01:30:00.123Z");
const call = (kind, message) =>
  new Promise((done) => analytics[kind](message, (error, context) => done(error ? { error: String(error) } : context.event)));

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
console.log(JSON.stringify(await Promise.all(made)));
