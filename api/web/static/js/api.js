// The only way to the server: the public API, with the reader's key.

const STORED = "jcurve.readKey";

export class ApiError extends Error {
  /** `status` 0: the server did not answer. `errors`: the problem's list of {path, found, allowed, message}. */
  constructor(status, title, detail, errors = []) {
    super(detail || title);
    Object.assign(this, { status, title, detail, errors });
  }
}

export const key = {
  get: () => localStorage.getItem(STORED),
  set: (text) => localStorage.setItem(STORED, text),
  forget: () => localStorage.removeItem(STORED),
};

/** A link such as `/#key=jr_…` (printed by `jcurve demo`) signs in; the key is taken out of the address bar and the history. */
export function takeKeyFromAddress() {
  const found = /^#key=([^&/]+)/.exec(location.hash);
  if (!found) return false;
  key.set(decodeURIComponent(found[1]));
  history.replaceState(null, "", location.pathname);
  return true;
}

/** The JSON answer of `GET /api/{path}`; parameters that are null or empty are left out. Throws `ApiError`. */
export function get(path, parameters = {}, { signal } = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return ask(`${path}${query ? `?${query}` : ""}`, { signal });
}

/** The JSON answer of `POST /api/{path}`. Throws `ApiError`. */
export function post(path, body, { signal } = {}) {
  return ask(path, { method: "POST", body: JSON.stringify(body), signal });
}

export function put(path, body) {
  return ask(path, { method: "PUT", body: JSON.stringify(body) });
}

export function patch(path, body) {
  return ask(path, { method: "PATCH", body: JSON.stringify(body) });
}

export function remove(path) {
  return ask(path, { method: "DELETE" });
}

/** The answer of `POST /api/{path}` as CSV, to be kept as a file. Throws `ApiError`. */
export async function table(path, body) {
  return (await send(path, { method: "POST", body: JSON.stringify(body) }, "text/csv")).blob();
}

async function ask(path, options) {
  return (await send(path, options, "application/json")).json();
}

async function send(path, options, accept) {
  const headers = { Accept: accept, Authorization: `Bearer ${key.get() ?? ""}` };
  let response;
  try {
    response = await fetch(`/api/${path}`, { headers, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "No answer", "The server does not answer. Is jcurve still running?");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new ApiError(response.status, problem.title ?? response.statusText, problem.detail, problem.errors);
}
