// The session of the signed-in user. The token is stored for this tab only; a new tab requests it from other tabs.

import { call } from "/inbox/api.js";
import { forget, publish, store, stored, subscribe } from "/inbox/tab.js";

const STORED = "herolo.session";
/** The delay in ms with which tabs other than the last visible one reply, because tabs may have different users. */
const REPLY_DELAY = 100;

let current = stored(STORED);
let isLastSeen = !document.hidden;
let pendingSignUp = null; // the name of an account that may have been created, although the sign-up failed
let renewal = null; // the promise of a renewal in progress
let refusals = 0; // how often the user has declined to sign in again
let askForPassword;
let afterRenewal;

export const username = () => current?.username;
export const token = () => current?.token;

/** A path below that of this user. */
export const own = (path = "") => `/users/${encodeURIComponent(current.username)}${path}`;

/** Sets the functions for an expired token: `ask` returns a promise of a new sign-in, and `after` is called then. */
export function onExpiry(ask, after) {
  askForPassword = ask;
  afterRenewal = after;
}

/** Signs in and stores the token. */
export async function signIn(name, password, wait) {
  const path = `/users/${encodeURIComponent(name.trim().toLowerCase())}/token`;
  const response = await call("POST", path, { body: { password }, repeatable: true, wait });
  const user = name.trim().toLowerCase();
  begin({ ...(user === username() && current), username: user, token: response.access_token });
  publish("session", current);
}

function begin(session) {
  // Deletes the drafts of another user.
  if (current?.username !== session.username) forget();
  current = session;
  store(STORED, current);
}

/** The properties of the service: the `sign_ups` that it accepts ("open", "invited" or "closed"), and whether there are
 * `user_invitations`. A browser may know them from its cache. */
export const serviceInfo = () => call("GET", "/service", { cache: "default" });

/** Creates an account and signs in. The name may be taken by an earlier attempt whose response was lost. */
export async function signUp(account, wait) {
  const { username, password } = account;
  let taken = null;
  try {
    await call("POST", "/users", { body: account, wait });
  } catch (problem) {
    if (problem.status === 0 || problem.status >= 500) pendingSignUp = username;
    // The earlier attempt has used the invitation up.
    const isRepeated = ["taken", "invitation-invalid"].includes(problem.type);
    if (!isRepeated || pendingSignUp !== username) throw problem;
    taken = problem;
  }
  pendingSignUp = username;
  await signIn(username, password, wait).catch((problem) => {
    throw taken && problem.status === 401 ? taken : problem;
  });
  pendingSignUp = null;
}

/**
 * Shares the session with the other tabs of the browser. `adopted(isRenewed)` is called when this tab has adopted the
 * session of another tab: a new one only if it has none and `mayAdopt()`. `ended()` is called when another tab signs
 * this user out.
 */
export function share(mayAdopt, adopted, ended) {
  const reply = () => {
    if (token()) publish("session", current);
  };
  subscribe("session?", () => (isLastSeen ? reply() : setTimeout(reply, REPLY_DELAY)));
  subscribe("session", (session) => {
    const isRenewed = session.username === username();
    if (session.token === token() || !(isRenewed || (!current && mayAdopt()))) return;
    begin(session);
    adopted(isRenewed);
  });
  subscribe("signed out", (name) => {
    if (name === username() && token()) ended();
  });
  subscribe("notices", ({ of, notices }) => {
    if (of === username()) setNotices(notices, true);
  });
  subscribe("seen", () => {
    isLastSeen = false;
  });
}

/** Whether new messages are notified while the page is hidden. The choice ends with the session. */
export const hasNotices = () => current?.notices === true;

/** Sets the choice in this tab and, unless another tab has published it (`isHeard`), in all others. */
export function setNotices(notices, isHeard = false) {
  current = { ...current, notices };
  store(STORED, current);
  if (!isHeard) publish("notices", { of: username(), notices });
}

/** Requests the session from the other tabs. */
export const ask = () => publish("session?");

/** Records that this tab is visible. */
export function isSeen() {
  isLastSeen = true;
  publish("seen");
}

/** Deletes the session in this tab and, unless another tab has initiated that (`isHeard`), in all others. */
export function signOut(isHeard = false) {
  if (!isHeard) publish("signed out", username());
  current = null;
  forget();
}

/** Deletes the token, and keeps other data until the same user signs in again. */
export function suspend() {
  current = { ...current, token: "" };
  store(STORED, current);
}

/** Revokes all tokens of the user, because the API cannot revoke a single one. */
export async function revoke() {
  let isRepeated = false;
  try {
    await call("DELETE", own("/tokens"), {
      token: token(),
      wait: () => {
        isRepeated = true;
      },
    });
  } catch (problem) {
    // The first attempt succeeded, but its response was lost.
    if (!isRepeated || problem.status !== 401) throw problem;
  }
}

/** Whether it is unknown if a request that ended with this problem has had an effect. */
const isUncertain = (problem) => problem.status === 0 || problem.status >= 500;

/** Changes the password, which revokes all tokens, and signs in with the new one. */
export async function changePassword(body, wait) {
  const again = () => signIn(username(), body.new_password, wait);
  try {
    await callAs("PUT", own("/password"), { body, repeatable: false, wait });
  } catch (problem) {
    if (!isUncertain(problem)) throw problem;
    // If the new password signs in, it was changed, and the response was lost.
    return again().catch(() => {
      throw problem;
    });
  }
  // If this fails, the next request asks for the new password.
  return again().catch(() => {});
}

/** Deletes the account of this user. */
export async function deleteAccount(body, wait) {
  try {
    await callAs("POST", own("/deletion"), { body, wait });
  } catch (problem) {
    if (!isUncertain(problem)) throw problem;
    // If the token is not valid any more, the account was deleted, and the response was lost.
    await call("GET", own(), { token: token() }).then(
      () => {
        throw problem;
      },
      (other) => {
        if (other.status !== 401) throw problem;
      },
    );
  }
}

/** Renews the session with the password; concurrent requests share one renewal. */
export function renew(spent) {
  if (spent !== token()) return Promise.resolve(); // it was renewed in the meantime
  renewal ??= askForPassword()
    .catch((problem) => {
      refusals += 1;
      throw problem;
    })
    .then(() => afterRenewal())
    .finally(() => {
      renewal = null;
    });
  return renewal;
}

/** Sends a request as this user. If the token has expired, the request is repeated after a renewal. */
export async function callAs(method, path, options = {}) {
  const spent = token();
  const before = refusals;
  try {
    return await call(method, path, { ...options, token: spent });
  } catch (problem) {
    // Those that were under way when the user declined to sign in do not ask again.
    if (problem.status !== 401 || refusals !== before) throw problem;
    await renew(spent);
    return call(method, path, { ...options, token: token() });
  }
}
