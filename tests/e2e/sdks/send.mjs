// node send.mjs URL KEY: the real @segment/analytics-node makes one call of each kind; prints what it made.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushAt: 5 });
const timestamp = new Date("2025-03-30T01:30:00.123Z");
const made = [];
const note = (error, context) => made.push(error ? { error: String(error) } : context.event);

analytics.identify({ userId: "user-1", anonymousId: "anon-1", traits: { email: "zoë@example.com", name: "Zoë 🦔" }, timestamp }, note);
analytics.track({ userId: "user-1", event: "Signed Up", properties: { plan: "pro", price: 19.99, emoji: "🦔 café" }, timestamp }, note);
analytics.track({ userId: "user-1", event: "Project Created", messageId: "node-1", context: { groupId: "acme" } }, note);
analytics.track({ anonymousId: "anon-2", event: "Visited", properties: { n: 2, deep: { a: [1, [2]] } } }, note);
analytics.group({ userId: "user-1", groupId: "acme", traits: { name: "Acme GmbH" } }, note);
analytics.page({ userId: "user-1", category: "Docs", name: "Getting started", properties: { path: "/docs" } }, note);
analytics.screen({ userId: "user-1", category: "App", name: "Home" }, note);
analytics.alias({ userId: "user-1", previousId: "user-0" }, note);
await analytics.closeAndFlush();
console.log(JSON.stringify(made));
