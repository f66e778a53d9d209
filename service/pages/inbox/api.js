// The API: requests, problems, and what is tried again.

/** Until a request is given up, in ms: longer than the service itself takes for one. Networks can swallow requests. */
const LONGEST_REQUEST = 20_000;
/** How often a request is tried that may be repeated. */
const TRIES = 5;
/** After that long nothing is tried again, in ms, so that requests that are swallowed end in a message. */
const PATIENCE = 30_000;
/** Until it is tried again at first, in ms; then twice that, and so on. */
const PAUSE = 400;
/** The longest time that a person is let wait for the next try, in ms. */
const LONGEST_PAUSE = 15_000;

/** What is said of an answer without words of its own, as proxies give them. */
function words(status) {
  if (status === 0) return "The service cannot be reached. Check your connection and try again.";
  if (status === 429) return "That was a lot at once. Wait a moment and try again.";
  if ([502, 503, 504].includes(status)) return "The service is not available just now. Try again in a moment.";
  return status >= 500 ? "The service has failed. Try again in a moment." : `The request was refused (${status}).`;
}

/** An error that the service or the network answered with. Its message is for people. */
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.detail || words(status));
    this.status = status; // 0: no answer
    this.type = (body.type ?? "").split(":").at(-1);
    this.errors = body.errors ?? [];
    this.retryAfter = 0; // ms
  }

  /** The request may succeed if it is sent again. */
  get isPassing() {
    return [0, 408, 429, 502, 503, 504].includes(this.status);
  }
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Sends a request and returns the answer's JSON, or null where there is none. What may be repeated is tried again, as long
 * as trying helps; `wait` is told each time, with the problem and for how many ms.
 */
export async function call(method, path, { body, token, headers = {}, repeatable = method !== "POST", wait = () => {} } = {}) {
  const end = performance.now() + PATIENCE;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(method, path, body, { ...headers, ...(token && { Authorization: `Bearer ${token}` }) });
    } catch (problem) {
      // What an earlier try deleted is not there any more.
      if (method === "DELETE" && attempt > 1 && problem.status === 404) return null;
      // A refusal for their number, or for a late body, says that nothing was done, so anything may be repeated after it.
      const mayRepeat = repeatable || [408, 429].includes(problem.status);
      if (!problem.isPassing || !mayRepeat || attempt >= TRIES || performance.now() > end) throw problem;
      // Whoever is told to come back much later is told so, rather than let wait.
      if (problem.retryAfter > LONGEST_PAUSE) throw problem;
      const time = Math.max(problem.retryAfter, PAUSE * 2 ** (attempt - 1) * (0.75 + Math.random() / 2));
      wait(problem, time);
      await pause(time);
    }
  }
}

async function once(method, path, body, headers) {
  let answer;
  let text;
  try {
    answer = await fetch(path, {
      method,
      headers: { ...headers, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(LONGEST_REQUEST),
    });
    text = await answer.text();
  } catch {
    throw new Problem(0);
  }
  const json = parse(text);
  // Whoever answers in place of the service, such as the sign-in page of a network, sends something else.
  if (answer.ok && !isObject(json) && answer.status !== 204) throw new Problem(0);
  if (answer.ok) return json;
  throw problemOf(answer, json);
}

/** The problem that an answer is. */
export function problemOf(answer, json) {
  const problem = new Problem(answer.status, isObject(json) ? json : {});
  problem.retryAfter = (Number.parseInt(answer.headers.get("Retry-After"), 10) || 0) * 1000;
  return problem;
}

const isObject = (json) => json !== null && typeof json === "object";

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // not the service's own answer, or an empty one
  }
}

/** A name for a request that may be repeated: 128 random bits. (`crypto.randomUUID` is for HTTPS alone.) */
export function newKey() {
  const bits = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bits, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
