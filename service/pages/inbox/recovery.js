// Replacing a forgotten password, and confirming an e-mail address: views that are loaded when they are opened.

import { call } from "/inbox/api.js";
import { byId, focusOn, make, setTitle } from "/inbox/dom.js";
import { form } from "/inbox/forms.js";
import * as session from "/inbox/session.js";

const TEXT = { autocapitalize: "none", spellcheck: "false" };

let actions; // done(), after the sign-in

/** Shows the form for the code of a mail and the new password, or without a code, the one that has a mail sent; or in
 * the view "verify", the form for the code of a mail that confirms an address. */
export function show(view, code, given) {
  actions = given;
  if (view === "verify") askForConfirmation(code);
  else if (code) askForPassword(code, "");
  else askForAccount();
}

function askForAccount() {
  const request = async (values, wait) => {
    await call("POST", "/password-resets", { body: { account: values.account.trim() }, wait });
    // Nothing is said about whether there is such an account.
    askForPassword("", "If there is such an account, a mail with a code is on its way to its address.");
  };
  const fields = [["account", "Username or e-mail address", { ...TEXT, autocomplete: "username", dir: "auto" }]];
  fill(
    "Forgot your password?",
    "A mail with a code, with which you choose a new one, goes to the address of your account.",
    form("forgotten", fields, ["Send the mail", "primary wide"], request),
  );
}

function askForPassword(code, sent) {
  const complete = async ({ code, new_password }, wait) => {
    const body = { code: code.trim(), new_password };
    const { username } = await call("POST", "/password-resets/completion", { body, repeatable: false, wait });
    await session.signIn(username, new_password, wait);
    actions.done();
  };
  const hint = "8 characters or more. A few words are easy to remember.";
  const fields = [
    ["code", "Code from the mail", { ...TEXT, autocomplete: "one-time-code", value: code }],
    ["new_password", "New password", { type: "password", autocomplete: "new-password", hint }],
  ];
  fill(
    "Choose a new password",
    sent || "It signs all devices and programs out, except this browser.",
    form("recovery-form", fields, ["Set the password", "primary wide"], complete),
    sent && make("button", { type: "button", class: "link", click: askForAccount }, "No mail? Send another one"),
  );
  if (code) focusOn(byId("recovery-form-new_password"));
}

/** A button, because programs that scan mails open the links in them. */
function askForConfirmation(code) {
  const confirm = async ({ code }, wait) => {
    const body = { code: code.trim() };
    const { username, email } = await call("POST", "/email-verifications/completion", { body, wait });
    fill(
      "The address is confirmed",
      `${email} is the address of the account ${username}.`,
      make("p", { class: "buttons" }, make("a", { class: "button primary wide", href: "#/inbox" }, "Continue")),
    );
  };
  const fields = [["code", "Code from the mail", { ...TEXT, autocomplete: "one-time-code", value: code }]];
  fill(
    "Confirm your e-mail address",
    "With the code from the mail, you confirm that the address is yours.",
    form("verification", fields, ["Confirm the address", "primary wide"], confirm),
  );
  if (code) focusOn(byId("verification").querySelector("button"));
}

function fill(title, text, content, other = null) {
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
      make("p", { class: "access-other" }, make("a", { class: "link", href: "#/inbox" }, "Back to signing in")),
    ),
  );
  setTitle({ view: title });
  focusOn(content.querySelector("input:not(.visually-hidden)") ?? heading);
}
