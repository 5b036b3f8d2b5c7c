// Drives real Chromium for the tests: one command a line on standard input, one answer a line on standard output.
// Usage: node driver.mjs FOLDER_WITH_NODE_MODULES CHROMIUM
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [, , modules, executablePath] = process.argv;
const puppeteer = createRequire(`${modules}/package.json`)("puppeteer-core");
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-quic",
  "--no-first-run",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--font-render-hinting=none",
];
const TIMEOUT = 300_000; // as patience.py
const browser = await puppeteer.launch({ executablePath, headless: true, args, timeout: TIMEOUT, protocolTimeout: 2 * TIMEOUT });
const pages = new Map();

const commands = {
  async open({ width, height, scheme, scale }) {
    const page = await (await browser.createBrowserContext()).newPage();
    const told = { faults: [], requests: [] };
    page.setDefaultTimeout(TIMEOUT);
    page.on("console", (message) => ["error", "warn"].includes(message.type()) && told.faults.push(message.text()));
    page.on("pageerror", (error) => told.faults.push(String(error)));
    page.on("request", (request) => told.requests.push(request.url()));
    await page.setViewport({ width, height, deviceScaleFactor: scale });
    await page.emulateMediaFeatures([
      { name: "prefers-color-scheme", value: scheme },
      { name: "prefers-reduced-motion", value: "reduce" },
    ]);
    const name = String(pages.size);
    pages.set(name, { page, told });
    return name;
  },
  goto: ({ url }, { page }) => page.goto(url, { waitUntil: "load" }).then(() => null),
  reload: (_, { page }) => page.reload({ waitUntil: "load" }).then(() => null),
  evaluate: ({ script }, { page }) => page.evaluate(script),
  // What throws now (the element is not there yet) may hold later: puppeteer alone would stop looking at the first throw.
  wait: ({ script }, { page }) =>
    page
      .waitForFunction(`(() => { try { return ${script}; } catch { return false; } })()`, { polling: 50 })
      .then(() => null),
  click: ({ selector }, { page }) =>
    page
      .locator(selector)
      .click()
      .then(() => null),
  type: ({ selector, text }, { page }) =>
    page
      .locator(selector)
      .fill(text)
      .then(() => null),
  keys: ({ text }, { page }) => page.keyboard.type(text).then(() => null), // into what has the focus
  press: ({ key }, { page }) => page.keyboard.press(key).then(() => null),
  // By the mouse: down on one element, up in the lower half of the other.
  async drag({ selector, to }, { page }) {
    const middle = async (one) => (await page.$(one)).boundingBox();
    const [from, until] = [await middle(selector), await middle(to)];
    await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
    await page.mouse.down();
    await page.mouse.move(until.x + until.width / 2, until.y + until.height - 2, { steps: 8 });
    await page.mouse.up();
    return null;
  },
  size: ({ width, height, scale }, { page }) =>
    page.setViewport({ width, height, deviceScaleFactor: scale }).then(() => null),
  screenshot: ({ path }, { page }) => page.screenshot({ path }).then(() => null),
  told: (_, { told }) => told,
  close: async ({ page: name }, { page }) => {
    pages.delete(name);
    await page.browserContext().close();
    return null;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[command.do](command, pages.get(command.page))) ?? null };
  } catch (error) {
    answer = { error: `${command.do} ${command.selector ?? command.script ?? command.url ?? ""}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
