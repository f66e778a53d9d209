// Signing in, creating an account, and signing in again when the session is over.

import { Problem } from "/inbox/api.js";
import { alarm, byId, clearErrors, entitle, focusOn, showErrors } from "/inbox/dom.js";
import * as session from "/inbox/session.js";

let isNew = false; // whether an account is created

/** Sets the forms up; `done` is called when a user has signed in, and `again` when they have done so again. */
export function setUp(done, again) {
  const form = byId("access-form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await attempt(form, byId("access-submit"), enter)) done();
  });
  byId("access-switch").addEventListener("click", () => show(!isNew));
  byId("access-reveal").addEventListener("change", (event) => {
    byId("access-password").type = event.target.checked ? "text" : "password";
  });
  setUpAgain(again);
}

/** Shows the form of the one or of the other. */
export function show(forNew = false) {
  isNew = forNew;
  byId("access").hidden = false;
  entitle({ view: isNew ? "Create an account" : "Sign in" });
  byId("access-title").textContent = isNew ? "Create your account" : "Sign in to Herolo";
  byId("access-submit").textContent = isNew ? "Create account" : "Sign in";
  byId("access-question").textContent = isNew ? "Have an account?" : "New here?";
  byId("access-switch").textContent = isNew ? "Sign in" : "Create an account";
  byId("access-password").autocomplete = isNew ? "new-password" : "current-password";
  for (const part of byId("access").querySelectorAll("[data-only]")) part.hidden = !isNew;
  clearErrors(byId("access-form"));
  focusOn(byId("access-username"));
}

export function hide() {
  const form = byId("access-form");
  byId("access").hidden = true;
  form.reset();
  clearErrors(form);
  byId("access-password").type = "password";
}

/** Whether nothing has been filled in. */
export const isUntouched = () => ["username", "email", "password"].every((name) => byId(`access-${name}`).value === "");

/** Takes the question for the password back: another tab has renewed the session, or ended it. */
export const renewed = () => byId("again").close("done");
export const dismiss = () => byId("again").close("no");

async function enter(form, wait) {
  const { username, email, password } = form.elements;
  const missing = [[username, "username"], [email, "email"], [password, "password"]]
    .filter(([field, name]) => field.value.trim() === "" && (isNew || name !== "email"))
    .map(([, name]) => ({ pointer: `#/${name}`, detail: "Please fill this in" }));
  if (missing.length > 0) throw new Problem(422, { errors: missing });
  if (!isNew) return session.signIn(username.value, password.value, wait);
  const account = { username: username.value.trim(), email: email.value.trim(), password: password.value };
  return session.signUp(account, wait);
}

/** Whether it succeeded; if not, the form says why. Only one attempt goes on at a time. */
async function attempt(form, button, action) {
  if (button.getAttribute("aria-disabled")) return false;
  const name = button.textContent;
  button.setAttribute("aria-disabled", "true");
  clearErrors(form);
  const timer = setTimeout(() => { button.textContent = "One moment…"; }, 300);
  const wait = (problem, time) => { button.textContent = `Busy, trying again in ${Math.ceil(time / 1000)} s…`; };
  try {
    await action(form, wait);
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    const isWrong = problem.status === 401;
    if (isWrong && form.id === "again-form") problem.message = `This is not the password of ${session.username()}.`;
    showErrors(form, problem, { focus: isWrong && form.elements.password });
    return false;
  } finally {
    clearTimeout(timer);
    button.removeAttribute("aria-disabled");
    button.textContent = name;
  }
}

function setUpAgain(done) {
  const dialog = byId("again");
  const form = byId("again-form");
  session.whenOver(() => new Promise((resolve, reject) => {
    byId("again-username").value = session.username();
    byId("again-who").textContent = session.username();
    clearErrors(form);
    form.elements.password.value = "";
    dialog.returnValue = "";
    dialog.showModal();
    form.elements.password.focus();
    alarm("Your session is over. Sign in again.");
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "done") resolve();
      else reject(new Problem(401, { detail: "You are signed out. Sign in again to go on." }));
    }, { once: true });
  }), done);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const again = (_, wait) => session.signIn(session.username(), form.elements.password.value, wait);
    if (await attempt(form, byId("again-submit"), again)) dialog.close("done");
  });
  byId("again-cancel").addEventListener("click", () => dialog.close("no"));
}
