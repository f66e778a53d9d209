// Replacing a forgotten password, confirming an e-mail address, and ending mails about unread messages: views that are
// loaded when they are opened.

import { call } from "/inbox/api.js";
import { byId, focusOn, make, setTitle } from "/inbox/dom.js";
import { form } from "/inbox/forms.js";
import * as session from "/inbox/session.js";
import { t } from "/inbox/words.js";

const TEXT = { autocapitalize: "none", spellcheck: "false" };

let actions; // done(), after the sign-in

/** Shows the form for the code of a mail and the new password, or without a code, the one that has a mail sent; or in
 * the views "verify" and "stop", the form for the code of a mail that confirms an address, or that ends mails about
 * unread messages. */
export function show(view, code, given) {
  actions = given;
  if (view === "verify") askForConfirmation(code);
  else if (view === "stop") askForEnd(code);
  else if (code) askForPassword(code, "");
  else askForAccount();
}

function askForAccount() {
  const request = async (values, wait) => {
    await call("POST", "/password-resets", { body: { account: values.account.trim() }, wait });
    // Nothing is said about whether there is such an account.
    askForPassword("", t.resetMailSent);
  };
  const fields = [["account", t.accountOrEmail, { ...TEXT, autocomplete: "username", dir: "auto" }]];
  fill(t.forgotten, t.forgottenHint, form("forgotten", fields, [t.sendMail, "primary wide"], request));
}

function askForPassword(code, sent) {
  const complete = async ({ code, new_password }, wait) => {
    const body = { code: code.trim(), new_password };
    const { username } = await call("POST", "/password-resets/completion", { body, repeatable: false, wait });
    await session.signIn(username, new_password, wait);
    actions.done();
  };
  const fields = [
    ["code", t.code, { ...TEXT, autocomplete: "one-time-code", value: code }],
    ["new_password", t.newPassword, { type: "password", autocomplete: "new-password", hint: t.passwordHint }],
  ];
  fill(
    t.choosePassword,
    sent || t.choosePasswordHint,
    form("recovery-form", fields, [t.setPassword, "primary wide"], complete),
    sent && make("button", { type: "button", class: "link", click: askForAccount }, t.sendAnother),
  );
  if (code) focusOn(byId("recovery-form-new_password"));
}

/** A button, because programs that scan mails open the links in them. */
function askForConfirmation(code) {
  const confirm = async ({ code }, wait) => {
    const body = { code: code.trim() };
    const { username, email } = await call("POST", "/email-verifications/completion", { body, wait });
    fill(
      t.emailConfirmed,
      t.emailConfirmedOf(email, username),
      make("p", { class: "buttons" }, make("a", { class: "button primary wide", href: "#/inbox" }, t.continue)),
    );
  };
  const fields = [["code", t.code, { ...TEXT, autocomplete: "one-time-code", value: code }]];
  fill(t.confirmEmail, t.confirmEmailHint, form("verification", fields, [t.confirmAddress, "primary wide"], confirm));
  if (code) focusOn(byId("verification").querySelector("button"));
}

/** A button, too. The code is in the address of the request, and only asked for if the link has lost it. */
function askForEnd(code) {
  const stop = async (values, wait) => {
    const path = `/unread-notices/${encodeURIComponent(values.code?.trim() ?? code)}/stop`;
    await call("POST", path, { repeatable: true, wait }).catch((problem) => {
      // No other code can be requested.
      if (problem.type === "code-invalid") problem.message = t.stopCodeInvalid;
      throw problem;
    });
    fill(
      t.mailsStopped,
      t.mailsStoppedHint,
      make("p", { class: "buttons" }, make("a", { class: "button primary wide", href: "#/account" }, t.toAccount)),
    );
  };
  const fields = code ? [] : [["code", t.code, { ...TEXT, autocomplete: "off" }]];
  fill(t.stopMails, t.stopMailsHint, form("stop", fields, [t.stopThem, "primary wide"], stop));
  if (code) focusOn(byId("stop").querySelector("button"));
}

function fill(title, text, content, other = null) {
  const back = session.username() ? t.toInbox : t.backToSignIn;
  const heading = make("h1", { tabindex: "-1" }, title);
  byId("recovery").replaceChildren(
    make(
      "div",
      { class: "access-card" },
      make("img", { class: "access-mark", src: "/inbox/icon.svg", alt: "", width: "44", height: "44" }),
      heading,
      make("p", { class: "hint", role: "status" }, text),
      content,
      other && make("p", { class: "access-other" }, other),
      make("p", { class: "access-other" }, make("a", { class: "link", href: "#/inbox" }, back)),
    ),
  );
  setTitle({ view: title });
  focusOn(content.querySelector("input:not(.visually-hidden)") ?? heading);
}
