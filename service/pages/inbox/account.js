// The account: a view that is loaded when it is opened.

import * as address from "/inbox/address.js";
import * as blocks from "/inbox/blocks.js";
import { ask, byId, focusOn, make, messageOf, setTitle, showToast } from "/inbox/dom.js";
import * as forms from "/inbox/forms.js";
import * as invitations from "/inbox/invitations.js";
import * as notices from "/inbox/notices.js";
import * as session from "/inbox/session.js";
import * as unread from "/inbox/unread.js";
import { t } from "/inbox/words.js";

/** Timeout of an export in ms. */
const EXPORT_TIMEOUT = 600_000;

let actions; // close(), signOut(), keys(), pause(), resume(), leave()

/** Shows the account. `pause` and `resume` stop and start the stream of events, `leave` shows the form to sign in. */
export function show(given) {
  actions = given;
  const title = make("h2", { tabindex: "-1", id: "account-title" }, t.account);
  const close = make("button", { type: "button", class: "button quiet", click: actions.close }, t.close);
  byId("pane").replaceChildren(
    make(
      "article",
      { class: "account", "aria-labelledby": "account-title" },
      make("div", { class: "bar" }, title, close),
      make("p", { class: "hint" }, ...t.signedInAs(make("bdi", {}, session.username()))),
      section("email", t.email, null, () => address.content(form, CURRENT)),
      section("unread", t.unreadMessages, t.unreadMailsHint, unread.choice),
      section("password", t.password, t.newPasswordSignsOut, password),
      section("notices", t.notifications, t.notificationsHint, notices.choice),
      section("blocks", t.blockedUsers, t.blockedUsersHint, blocks.list),
      section("invitations", t.invitations, null, invitations.list),
      section("export", t.yourData, t.yourDataHint, download),
      section("sessions", t.signOut, t.signOutHint, signOut),
      section("help", t.help, null, help),
      section("deletion", t.deleteTheAccount, null, deletion),
    ),
  );
  byId("pane").scrollTop = byId("shell").scrollTop = 0;
  setTitle({ view: t.account });
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
      const again = make("button", { type: "button", class: "button", click: fill }, t.tryAgain);
      place.replaceChildren(
        make("div", { class: "list-error", role: "alert" }, make("p", {}, messageOf(problem)), again),
      );
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
      if (problem.type === "password-wrong") problem.errors = [{ pointer: "#/password", detail: t.notYourPassword }];
      throw problem;
    });
  return forms.form(id, fields, button, send, session.username());
}

const CURRENT = { type: "password", autocomplete: "current-password" };

function password() {
  const fields = [
    ["password", t.currentPassword, CURRENT],
    ["new_password", t.newPassword, { type: "password", autocomplete: "new-password", hint: t.passwordHint }],
  ];
  return form("password-form", fields, [t.changePassword, ""], async (values, wait) => {
    // A stream that ends on the change would ask for the password.
    actions.pause();
    try {
      await session.changePassword(values, wait);
    } finally {
      actions.resume();
    }
    showToast(t.passwordIsChanged);
  });
}

function download() {
  const save = async () => {
    const text = await session.callAs("GET", session.own("/export"), { timeout: EXPORT_TIMEOUT, isText: true });
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    make("a", { href: url, download: `herolo-${session.username()}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(url), EXPORT_TIMEOUT);
    showToast(t.isDownloaded);
  };
  return form("export-form", [], [t.download, ""], save);
}

function signOut() {
  return make(
    "p",
    { class: "buttons" },
    make("button", { type: "button", class: "button", click: actions.signOut }, t.signOutMore),
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
    make("button", { type: "button", class: "button", click: actions.keys }, t.shortcuts),
    hasReference && make("a", { class: "button", href: "/docs" }, t.reference),
  );
}

function deletion() {
  const remove = async (values, wait) => {
    const name = session.username();
    const choices = [
      ["yes", t.deleteTheAccount, "danger"],
      ["no", t.keepIt],
    ];
    if ((await ask(t.deleteAccountOf(name), t.deleteAccountOfHint(name), choices, 1)) !== "yes") return;
    actions.pause();
    try {
      await session.deleteAccount(values, wait);
    } catch (problem) {
      actions.resume();
      throw problem;
    }
    actions.leave();
    showToast(t.accountIsDeleted(name));
  };
  return make(
    "div",
    {},
    make("p", { class: "hint" }, t.deleteTheAccountHint),
    form("deletion-form", [["password", t.yourPassword, CURRENT]], [t.deleteAccount, "danger"], remove),
  );
}
