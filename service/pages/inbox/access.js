// The forms for signing in, for creating an account, and for signing in again when the session has expired.

import { Problem } from "/inbox/api.js";
import {
  announce,
  ask,
  byId,
  clearErrors,
  focusOn,
  hidePasswords,
  make,
  messageOf,
  setTitle,
  showErrors,
  withReveal,
} from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { t } from "/inbox/words.js";

let isNew = false; // whether the form creates an account
let policy = "open"; // the sign-ups that the service accepts
let hasMail = false; // whether the service sends mails
let isInvited = false; // whether the address has the code of an invitation

/** Sets up the forms. `done` is called after a sign-in, and `again` after a renewal of the session. */
export function setUp(done, again) {
  const form = byId("access-form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await attempt(form, byId("access-submit"), enter)) done();
  });
  byId("access-switch").addEventListener("click", () => show(!isNew));
  for (const field of document.querySelectorAll('input[type="password"]')) withReveal(field);
  setUpAgain(again);
}

/** Shows the form for signing in, or for creating an account with the code of an invitation, if there is one. */
export function open(code) {
  isInvited = code !== "";
  byId("access-invitation").value = code;
  show(isInvited && policy !== "closed");
  // Without an answer, the service itself refuses what it does not accept.
  session.serviceInfo().then(apply, () => {});
  // An operator can switch the reference off.
  fetch("/docs", { method: "HEAD" }).then(
    ({ ok }) => {
      byId("access-reference").hidden = !ok;
    },
    () => {},
  );
}

/** Offers only the sign-ups that the service accepts. */
function apply(service) {
  policy = service.sign_ups;
  hasMail = service.mail === true;
  if (byId("access").hidden) return;
  if (policy === "closed" && isNew) show(false);
  showChoices();
}

function showChoices() {
  byId("access-other").hidden = policy === "closed";
  byId("access-forgotten").hidden = isNew || !hasMail;
  byId("access-invited").hidden = !isNew || !(policy === "invited" || isInvited);
}

/** Shows the form for signing in or for creating an account. */
function show(forNew) {
  isNew = forNew;
  byId("access").hidden = false;
  setTitle({ view: isNew ? t.createAnAccount : t.signIn });
  byId("access-title").textContent = isNew ? t.createYourAccount : t.signInTo;
  byId("access-submit").textContent = isNew ? t.createAccount : t.signIn;
  byId("access-question").textContent = isNew ? t.haveAccount : t.newHere;
  byId("access-switch").textContent = isNew ? t.signIn : t.createAnAccount;
  byId("access-password").autocomplete = isNew ? "new-password" : "current-password";
  for (const part of byId("access").querySelectorAll("[data-only]")) part.hidden = !isNew;
  showChoices();
  clearErrors(byId("access-form"));
  focusOn(byId("access-username"));
}

export function hide() {
  const form = byId("access-form");
  byId("access").hidden = true;
  form.reset();
  clearErrors(form);
  hidePasswords(form);
}

/** Whether the form is empty. */
export const isUntouched = () => ["username", "email", "password"].every((name) => byId(`access-${name}`).value === "");

/** Closes the password dialog, because another tab has renewed or ended the session. */
export const renewed = () => byId("again").close("done");
export const dismiss = () => byId("again").close("no");

async function enter(form, wait) {
  const { username, email, password, invitation } = form.elements;
  const missing = [
    [username, "username"],
    [email, "email"],
    [password, "password"],
  ]
    .concat(policy === "invited" && isNew ? [[invitation, "invitation"]] : [])
    .filter(([field, name]) => field.value.trim() === "" && (isNew || name !== "email"))
    .map(([, name]) => ({ pointer: `#/${name}`, detail: t.fillIn }));
  if (missing.length > 0) throw new Problem(422, { errors: missing });
  if (!isNew) return session.signIn(username.value, password.value, wait);
  const account = { username: username.value.trim(), email: email.value.trim(), password: password.value };
  const code = invitation.value.trim();
  if (code && !byId("access-invited").hidden) account.invitation = code;
  return session.signUp(account, wait).catch((problem) => {
    if (problem.type === "invitation-invalid")
      problem.errors = [{ pointer: "#/invitation", detail: problem.message, isForeign: problem.isForeign }];
    throw problem;
  });
}

/** Returns whether the action succeeded; if not, the form shows the error. Only one attempt runs at a time. */
export async function attempt(form, button, action) {
  if (button.getAttribute("aria-disabled")) return false;
  const name = button.textContent;
  button.setAttribute("aria-disabled", "true");
  clearErrors(form);
  hidePasswords(form);
  const timer = setTimeout(() => {
    button.textContent = t.oneMoment;
  }, 300);
  const wait = (problem, time) => {
    button.textContent = t.busy(Math.ceil(time / 1000));
  };
  try {
    await action(form, wait);
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    const isWrong = problem.status === 401;
    if (isWrong && form.id === "again-form")
      Object.assign(problem, { message: t.notPasswordOf(session.username()), isForeign: false });
    showErrors(form, problem, { focus: isWrong && form.elements.password });
    return false;
  } finally {
    clearTimeout(timer);
    button.removeAttribute("aria-disabled");
    button.textContent = name;
  }
}

/**
 * Asks for the scope of signing out. `hasDrafts` tells whether drafts would be lost, and `deletions` which deletions
 * cannot be undone afterwards (a text, or ""). `finish()` carries those out and `revoke()` revokes all tokens; both
 * throw a problem if they fail. Returns whether this browser is to be signed out.
 */
export async function confirmLeaving({ hasDrafts, deletions, finish, revoke }) {
  const losses = [hasDrafts && t.draftsAreDeleted, deletions];
  const text = [t.signOutScopes(session.username()), ...losses].filter(Boolean).join(" ");
  const choices = [
    ["everywhere", t.signOutEverywhere, hasDrafts ? "danger" : "primary"],
    ["here", t.signOutHere],
    ["no", t.staySignedIn],
  ];
  let title = t.signOutQuestion;
  for (;;) {
    const answer = await ask(title, text, choices, hasDrafts ? 2 : 0);
    if (answer !== "here" && answer !== "everywhere") return false;
    try {
      await finish();
      if (answer === "everywhere") await revoke();
      return true;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      title = t.notSignedOut(messageOf(problem));
    }
  }
}

function setUpAgain(done) {
  const dialog = byId("again");
  const form = byId("again-form");
  session.onExpiry(
    () =>
      new Promise((resolve, reject) => {
        byId("again-username").value = session.username();
        byId("again-password-label").replaceChildren(...t.passwordOf(make("bdi", {}, session.username())));
        clearErrors(form);
        hidePasswords(form);
        form.elements.password.value = "";
        dialog.returnValue = "";
        dialog.showModal();
        form.elements.password.focus();
        announce(t.sessionExpiredSignIn);
        dialog.addEventListener(
          "close",
          () => {
            if (dialog.returnValue === "done") resolve();
            else reject(new Problem(401, { message: t.signedOutSignIn }));
          },
          { once: true },
        );
      }),
    done,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const again = (_, wait) => session.signIn(session.username(), form.elements.password.value, wait);
    if (await attempt(form, byId("again-submit"), again)) dialog.close("done");
  });
  byId("again-cancel").addEventListener("click", () => dialog.close("no"));
}
