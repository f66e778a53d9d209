// Who is signed in. The token is in sessionStorage, which belongs to this tab and ends with it.

import { call } from "/inbox/api.js";

const STORED = "herolo.session";

let current = load();
let renewal = null; // the promise of a session that is being renewed
let askForPassword;
let goOn;

function load() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED));
  } catch {
    return null;
  }
}

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
  sessionStorage.setItem(STORED, JSON.stringify(current));
}

export async function signUp(account, wait) {
  await call("POST", "/users", { body: account, wait });
  await signIn(account.username, account.password, wait);
}

export function signOut() {
  current = null;
  sessionStorage.clear();
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
