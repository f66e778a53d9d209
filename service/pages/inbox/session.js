// Who is signed in. The token is kept for this tab alone; a new tab asks the tabs that are open for it.

import { call } from "/inbox/api.js";
import { forget, publish, store, stored, subscribe } from "/inbox/tab.js";

const STORED = "herolo.session";
/** For how long tabs other than the one last looked at hold their answer back, in ms: two tabs may be two users. */
const AFTER_YOU = 100;

let current = stored(STORED);
let isLastSeen = !document.hidden;
let begun = null; // the name of an account that may be made already, though nobody is signed in to it yet
let renewal = null; // the promise of a session that is being renewed
let askForPassword;
let goOn;

export const username = () => current?.username;
export const token = () => current?.token;

/** A path below this user's. */
export const own = (path = "") => `/users/${encodeURIComponent(current.username)}${path}`;

/** Asks for the password again when the token has expired, which returns a promise; and continues after that. */
export function whenOver(ask, after) {
  askForPassword = ask;
  goOn = after;
}

/** Gets a token. */
export async function signIn(name, password, wait) {
  const path = `/users/${encodeURIComponent(name.trim().toLowerCase())}/token`;
  const answer = await call("POST", path, { body: { password }, repeatable: true, wait });
  begin({ username: name.trim().toLowerCase(), token: answer.access_token });
  publish("session", current);
}

function begin(session) {
  // Drafts of another user are none of this one's.
  if (current?.username !== session.username) forget();
  current = session;
  store(STORED, current);
}

/** Makes an account and gets a token. A name that is taken may be so by an earlier try, whose answer was lost. */
export async function signUp(account, wait) {
  const { username, password } = account;
  let taken = null;
  try {
    await call("POST", "/users", { body: account, wait });
  } catch (problem) {
    if (problem.status === 0 || problem.status >= 500) begun = username;
    if (problem.type !== "taken" || begun !== username) throw problem;
    taken = problem;
  }
  begun = username;
  await signIn(username, password, wait).catch((problem) => { throw taken && problem.status === 401 ? taken : problem; });
  begun = null;
}

/**
 * Shares the session with the other tabs of the browser. `adopted(isRenewed)` is called when this tab has got one from
 * another, which it takes only if it has none and `mayAdopt()`; `ended()` when another tab signs this user out.
 */
export function share(mayAdopt, adopted, ended) {
  const answer = () => { if (token()) publish("session", current); };
  subscribe("session?", () => (isLastSeen ? answer() : setTimeout(answer, AFTER_YOU)));
  subscribe("session", (session) => {
    const isRenewed = session.username === username();
    if (session.token === token() || !(isRenewed || (!current && mayAdopt()))) return;
    begin(session);
    adopted(isRenewed);
  });
  subscribe("signed out", (name) => { if (name === username() && token()) ended(); });
  subscribe("seen", () => { isLastSeen = false; });
}

/** Asks the other tabs for a session. */
export const ask = () => publish("session?");

/** This tab is looked at. */
export function isSeen() {
  isLastSeen = true;
  publish("seen");
}

/** Forgets the session in this tab; in the others, too, unless one of them has said so. */
export function signOut(isHeard = false) {
  if (!isHeard) publish("signed out", username());
  current = null;
  forget();
}

/** Forgets the token, and keeps the rest for when the same user signs in again. */
export function suspend() {
  current = { ...current, token: "" };
  store(STORED, current);
}

/** Revokes all tokens of the user: there is no way to revoke one alone. */
export async function revoke() {
  let isRepeated = false;
  try {
    await call("DELETE", own("/tokens"), { token: token(), wait: () => { isRepeated = true; } });
  } catch (problem) {
    // The answer to the first try was lost, and the token with it.
    if (!isRepeated || problem.status !== 401) throw problem;
  }
}

/** Asks for the password again; all requests that need it wait for the same answer. */
export function renew(spent) {
  if (spent !== token()) return Promise.resolve(); // it was renewed meanwhile
  renewal ??= askForPassword().then(() => goOn()).finally(() => { renewal = null; });
  return renewal;
}

/** Sends a request as this user. If the token has expired, the request goes on when there is another. */
export async function callAs(method, path, options = {}) {
  const spent = token();
  try {
    return await call(method, path, { ...options, token: spent });
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    await renew(spent);
    return call(method, path, { ...options, token: token() });
  }
}
