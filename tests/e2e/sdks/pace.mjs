// What the SDKs' scripts and pages do alike where they are made to fail; as pace.py. A page goes on until window.enough.
// "idle": none; who drives the page calls window.tick(n, who, text): a page hears of no answers, who drives it does.
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export async function play(pace, tick, flush) {
  const [name, size] = pace.split("=");
  if (typeof window !== "undefined") window.tick = tick;
  if (name === "idle") return 0;
  if (name === "few") {
    for (let number = 0; number < 6; number++) await tick(number, number === 2 ? "undefined" : "user-1", "");
    return 6;
  }
  if (name === "large") { // of scripts
    for (const [number, length] of [1, 40_000, 1, Number(size), 1].entries()) {
      await tick(number, "user-1", "x".repeat(length));
      if (number >= 2) await flush();
    }
    return 5;
  }
  return slowly(tick);
}

async function slowly(tick) {
  let ended = false;
  if (typeof window === "undefined") process.stdin.on("end", () => (ended = true)).resume();
  let number = 0;
  for (; !ended && !globalThis.window?.enough; number++) {
    await tick(number, "user-1", "");
    await pause(500);
  }
  return number;
}
