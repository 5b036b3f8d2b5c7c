// node browse.mjs CHROMIUM PROFILE URL: opens the page in the real browser; prints what its SDK made.
import puppeteer from "puppeteer-core";

const [executablePath, userDataDir, url] = process.argv.slice(2);
const quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic", "--no-first-run"];
const args = [...quiet, "--disable-component-update", "--disable-sync"];
const browser = await puppeteer.launch({ executablePath, userDataDir, headless: true, args });
try {
  const page = await browser.newPage();
  page.on("console", (message) => console.error(message.text()));
  page.on("pageerror", (error) => console.error(String(error)));
  await page.goto(url);
  console.log(await page.evaluate("window.sent"));
} finally {
  await browser.close();
}
