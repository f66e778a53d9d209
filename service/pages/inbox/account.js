// The account: a view that is loaded when it is opened.

import * as address from "/inbox/address.js";
import * as blocks from "/inbox/blocks.js";
import { ask, byId, focusOn, make, setTitle, showToast } from "/inbox/dom.js";
import * as forms from "/inbox/forms.js";
import * as invitations from "/inbox/invitations.js";
import * as notices from "/inbox/notices.js";
import * as session from "/inbox/session.js";

/** Timeout of an export in ms. */
const EXPORT_TIMEOUT = 600_000;

let actions; // close(), signOut(), keys(), pause(), resume(), leave()

/** Shows the account. `pause` and `resume` stop and start the stream of events, `leave` shows the form to sign in. */
export function show(given) {
  actions = given;
  const title = make("h2", { tabindex: "-1", id: "account-title" }, "Account");
  const close = make("button", { type: "button", class: "button quiet", click: actions.close }, "Close");
  byId("pane").replaceChildren(
    make(
      "article",
      { class: "account", "aria-labelledby": "account-title" },
      make("div", { class: "bar" }, title, close),
      make("p", { class: "hint" }, "Signed in as ", make("bdi", {}, session.username()), "."),
      section("email", "E-mail address", null, () => address.content(form, CURRENT)),
      section(
        "password",
        "Password",
        "A new password signs all devices and programs out, except this browser.",
        password,
      ),
      section("notices", "Notifications", notices.HINT, notices.choice),
      section("blocks", "Blocked users", "Their new messages do not reach you, and they are not told.", blocks.list),
      section("invitations", "Invitations", null, invitations.list),
      section("export", "Your data", "Your account and all your messages, in one JSON file.", download),
      section("sessions", "Sign out", "In this browser, or on all devices and in all programs.", signOut),
      section("help", "Help", null, help),
      section("deletion", "Delete the account", null, deletion),
    ),
  );
  byId("pane").scrollTop = byId("shell").scrollTop = 0;
  setTitle({ view: "Account" });
  focusOn(title);
}

/** A part of the account. `content()` returns an element or the promise of one, or null: the part is not shown. */
function section(id, name, hint, content) {
  const place = make("div", { class: "section-content" });
  const part = make(
    "section",
    { "aria-labelledby": `${id}-title` },
    make("h3", { id: `${id}-title`, tabindex: "-1" }, name),
    hint && make("p", { class: "hint" }, hint),
    place,
  );
  const fill = async () => {
    // "Try again" had the focus, and goes.
    const hadFocus = place.contains(document.activeElement);
    place.replaceChildren(make("div", { class: "skeleton" }, make("span")));
    if (hadFocus) focusOn(byId(`${id}-title`));
    const isHere = () => hadFocus && document.activeElement === byId(`${id}-title`);
    try {
      const found = await content();
      if (found) return place.replaceChildren(found);
      if (isHere()) focusOn(byId("account-title"));
      return part.remove();
    } catch (problem) {
      const again = make("button", { type: "button", class: "button", click: fill }, "Try again");
      place.replaceChildren(make("div", { class: "list-error", role: "alert" }, make("p", {}, problem.message), again));
      if (isHere()) focusOn(again);
    }
    return undefined;
  };
  fill();
  return part;
}

/** A form of this user, whose password it may take. `action(values, wait)` sends the values. */
function form(id, fields, button, action) {
  const send = (values, wait) =>
    action(values, wait).catch((problem) => {
      if (problem.type === "password-wrong")
        problem.errors = [{ pointer: "#/password", detail: "This is not your password" }];
      throw problem;
    });
  return forms.form(id, fields, button, send, session.username());
}

const CURRENT = { type: "password", autocomplete: "current-password" };

function password() {
  const fields = [
    ["password", "Current password", CURRENT],
    [
      "new_password",
      "New password",
      {
        type: "password",
        autocomplete: "new-password",
        hint: "8 characters or more. A few words are easy to remember.",
      },
    ],
  ];
  return form("password-form", fields, ["Change password", ""], async (values, wait) => {
    // A stream that ends on the change would ask for the password.
    actions.pause();
    try {
      await session.changePassword(values, wait);
    } finally {
      actions.resume();
    }
    showToast("The password is changed. All other devices and programs are signed out.");
  });
}

function download() {
  const save = async () => {
    const text = await session.callAs("GET", session.own("/export"), { timeout: EXPORT_TIMEOUT, isText: true });
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    make("a", { href: url, download: `herolo-${session.username()}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(url), EXPORT_TIMEOUT);
    showToast("The export is in your downloads.");
  };
  return form("export-form", [], ["Download", ""], save);
}

function signOut() {
  return make(
    "p",
    { class: "buttons" },
    make("button", { type: "button", class: "button", click: actions.signOut }, "Sign out…"),
  );
}

/** The overview of the keys, and the reference of the API, which an operator may have switched off. */
async function help() {
  const hasReference = await fetch("/docs", { method: "HEAD" }).then(
    (response) => response.ok,
    () => false,
  );
  return make(
    "p",
    { class: "buttons" },
    make("button", { type: "button", class: "button", click: actions.keys }, "Keyboard shortcuts"),
    hasReference && make("a", { class: "button", href: "/docs" }, "API reference"),
  );
}

function deletion() {
  const remove = async (values, wait) => {
    const name = session.username();
    const text =
      `The account is deleted at once, with all messages that ${name} has sent, for all receivers. ` +
      "This cannot be undone.";
    const choices = [
      ["yes", "Delete the account", "danger"],
      ["no", "Keep it"],
    ];
    if ((await ask(`Delete the account ${name}?`, text, choices, 1)) !== "yes") return;
    actions.pause();
    try {
      await session.deleteAccount(values, wait);
    } catch (problem) {
      actions.resume();
      throw problem;
    }
    actions.leave();
    showToast(`The account ${name} is deleted.`);
  };
  return make(
    "div",
    {},
    make(
      "p",
      { class: "hint" },
      "All messages that you have sent are deleted for all receivers. Download your data before.",
    ),
    form("deletion-form", [["password", "Your password", CURRENT]], ["Delete account", "danger"], remove),
  );
}
