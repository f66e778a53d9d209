// Who is signed in. The token is kept for this tab alone.

import { call } from "/inbox/api.js";
import { forget, store, stored } from "/inbox/kept.js";

const STORED = "herolo.session";

let current = stored(STORED);
let begun = null; // the name of an account that may be made already, though nobody is signed in to it yet
let renewal = null; // the promise of a session that is being renewed
let askForPassword;
let goOn;

export const username = () => current?.username;
export const token = () => current?.token;

/** A path below this user's. */
export const own = (path = "") => `/users/${encodeURIComponent(current.username)}${path}`;

/** Who asks for the password again when the token is over, which returns a promise; and what goes on after that. */
export function whenOver(ask, after) {
  askForPassword = ask;
  goOn = after;
}

/** Gets a token. */
export async function signIn(name, password, wait) {
  const path = `/users/${encodeURIComponent(name.trim().toLowerCase())}/token`;
  const answer = await call("POST", path, { body: { password }, repeatable: true, wait });
  current = { username: name.trim().toLowerCase(), token: answer.access_token };
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

export function signOut() {
  current = null;
  forget();
}

/** Asks for the password again; all who need it wait for the same answer. */
export function renew(spent) {
  if (spent !== token()) return Promise.resolve(); // somebody has renewed it
  renewal ??= askForPassword().then(() => goOn()).finally(() => { renewal = null; });
  return renewal;
}

/** Sends a request as this user. If the token is over, the request goes on when there is another. */
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
