// The API: requests, problems and retries.

import { inEnglish, soon, t } from "/inbox/words.js";

/** Timeout of a request in ms, longer than those of the service. Networks can drop requests silently. */
const REQUEST_TIMEOUT = 20_000;
/** Attempts of a request that can be retried. */
const MAX_ATTEMPTS = 5;
/** The time in ms after which no request is retried, so that dropped requests end with an error message. */
const RETRY_WINDOW = 30_000;
/** Delay before the first retry in ms; it doubles with each further one. */
const RETRY_DELAY = 400;
/** The longest delay before a retry in ms. */
const MAX_RETRY_DELAY = 15_000;

/** The message for a response that is not a problem document, such as one of a proxy. */
function defaultMessage(status) {
  if (status === 0) return t.unreachable;
  if (status === 429) return t.tooMany;
  if ([502, 503, 504].includes(status)) return t.unavailable;
  return status >= 500 ? t.hasFailed : t.wasRefused(status);
}

/** An error of the service or the network. Its message is for users. */
export class Problem extends Error {
  type = "";
  retryAfter = 0; // ms
  isForeign = false; // whether the message is one of the service, which is in English

  /** `errors` are those of fields: { pointer, detail, isForeign }. */
  constructor(status, { message, errors = [] } = {}) {
    super(message || defaultMessage(status));
    this.status = status; // 0: no response
    this.errors = errors;
  }

  /** Whether the request may succeed if it is retried. */
  get isTransient() {
    return [0, 408, 429, 502, 503, 504].includes(this.status);
  }
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Sends a request and returns the JSON of the response, or null if it has none. Requests that are safe to retry are
 * retried; `wait` is called before each retry, with the problem and the delay in ms. `timeout` is in ms; with `isText`,
 * the JSON is returned as it was received.
 */
export async function call(
  method,
  path,
  { body, token, headers = {}, repeatable = method !== "POST", wait = () => {}, ...options } = {},
) {
  const end = performance.now() + RETRY_WINDOW;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const all = { ...headers, ...(token && { Authorization: `Bearer ${token}` }) };
      return await send(method, path, body, all, options);
    } catch (problem) {
      // An earlier attempt has deleted it.
      if (method === "DELETE" && attempt > 1 && problem.status === 404) return null;
      // A rejection for a rate limit or for a late body has no effect, so every request can be retried after it.
      const mayRepeat = repeatable || [408, 429].includes(problem.status);
      if (!problem.isTransient || !mayRepeat || attempt >= MAX_ATTEMPTS || performance.now() > end) throw problem;
      // A long `Retry-After` is shown to the user instead of waiting for it.
      if (problem.retryAfter > MAX_RETRY_DELAY) throw problem;
      const time = Math.max(problem.retryAfter, RETRY_DELAY * 2 ** (attempt - 1) * (0.75 + Math.random() / 2));
      wait(problem, time);
      await pause(time);
    }
  }
}

async function send(method, path, body, headers, { cache = "no-store", timeout = REQUEST_TIMEOUT, isText = false }) {
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers: { ...headers, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      cache,
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(timeout),
    });
    text = await response.text();
  } catch {
    throw new Problem(0);
  }
  const json = parse(text);
  // Not a response of the service, but of another server, such as the sign-in page of a network.
  if (response.ok && !isObject(json) && ![202, 204].includes(response.status)) throw new Problem(0);
  if (response.ok) return isText ? text : json;
  throw toProblem(response, json);
}

/** The problem of an error response, in the words of the page or, if it has none, in those of the service. */
export function toProblem(response, json) {
  const body = isObject(json) ? json : {};
  const type = (body.type ?? "").split(":").at(-1);
  const seconds = Number.parseInt(response.headers.get("Retry-After"), 10) || 0;
  const errors = (body.errors ?? []).map(ownError);
  const own = ownMessage(type, seconds, errors);
  const foreign = body.detail?.replace(/\b(\d+) s\b/g, (_, length) => inEnglish(Number(length)));
  const problem = new Problem(response.status, { message: own ?? foreign, errors });
  return Object.assign(problem, { type, retryAfter: seconds * 1000, isForeign: !own && Boolean(foreign) });
}

function ownMessage(type, seconds, errors) {
  if (type === "too-many" && seconds > 0) return t.tooManyUntil(soon(seconds));
  if (errors.length > 0 && errors.every((error) => !error.isForeign))
    return errors.map(({ detail }) => detail).join(" ");
  return t.problems[type];
}

/** The texts of errors of fields, by what the service says: it has types of problems only. */
const FIELD_ERRORS = {
  taken: /^is taken/,
  reserved: /^is reserved/,
  usernameLength: /^must be 3 to 64 characters/,
  usernameCharacters: /^must contain only letters a-z/,
  usernameStart: /^must begin with a letter/,
  noSuchUser: /^'(.+)' is not the name of a user/,
  email: /^must be an e-mail address/,
  emailDomain: /^must end with a domain name/,
  emailLength: /^must be at most 254 bytes/,
  emailUndeliverable: /^must be one that mails can be sent to/,
  passwordLength: /^must be 8 to 128 characters/,
  passwordVariety: /^must have at least (\d+) different/,
  passwordCommon: /^must not be one of the most common/,
  passwordPlaceholder: /^must not be a placeholder/,
  passwordLikeWord: /^must be more than '(.+)'/,
  passwordLikeName: /^must be more than the username/,
  passwordLikeEmail: /^must be more than the e-mail address/,
  subjectLength: /^must be 1 to 255 characters/,
  textLength: /^must be 1 to 65535 bytes/,
  searchWords: /^must be 1 to 5 words/,
};

/** An error of a field in the words of the page, if it has some. */
function ownError({ pointer, detail }) {
  for (const [name, pattern] of Object.entries(FIELD_ERRORS)) {
    const found = pattern.exec(detail);
    const own = t.fields[name];
    if (found) return { pointer, detail: typeof own === "function" ? own(...found.slice(1)) : own };
  }
  return { pointer, detail, isForeign: true };
}

const isObject = (json) => json !== null && typeof json === "object";

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // an empty body, or not a response of the service
  }
}

/** A random idempotency key of 128 bits. (`crypto.randomUUID` requires HTTPS.) */
export function newKey() {
  const bits = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bits, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
