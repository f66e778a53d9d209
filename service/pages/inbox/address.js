// The e-mail address of the account: a part of its view, with the confirmation of the address and its change.

import { make, showToast } from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { t } from "/inbox/words.js";

/** The element. `form` makes a form of this user, and `password` are the attributes of the field for the password. */
export async function content(form, password) {
  let account = await session.callAs("GET", session.own());
  const { mail = false } = await session.serviceInfo().catch(() => ({}));
  const state = make("div", {}, ...describe(account, mail, form));
  const change = async (values, wait) => {
    const body = { ...values, email: values.email.trim() };
    const changed = await session.callAs("PUT", session.own("/email"), { body, wait });
    const isSame = changed.email.toLowerCase() === account.email.toLowerCase();
    account = { ...account, pending_email: undefined, ...changed };
    state.replaceChildren(...describe(account, mail, form));
    if (changed.pending_email) showToast(t.emailWillChange(changed.pending_email));
    else showToast(isSame ? t.emailStays(changed.email) : t.emailIsChanged);
  };
  const fields = [
    ["email", t.newEmail, { type: "email", autocomplete: "email" }],
    ["password", t.yourPassword, password],
  ];
  return make("div", {}, state, form("email-form", fields, [t.changeEmail, ""], change));
}

const strong = (address) => make("b", {}, make("bdi", {}, address));

/** The address, and how far its confirmation or its change has come. */
function describe({ email, email_verified, pending_email }, mail, form) {
  const again = async (_, wait) => {
    await session.callAs("POST", session.own("/email-verifications"), { wait });
    showToast(t.mailSentAgain);
  };
  const state = email_verified ? t.emailIsConfirmed : t.emailIsUnconfirmed;
  const isOpen = mail && (pending_email || !email_verified);
  return [
    make("p", {}, ...(mail ? state : t.emailIs)(strong(email))),
    pending_email && make("p", { id: "pending-email" }, ...t.emailIsPending(strong(pending_email))),
    isOpen && form("verification-form", [], [t.sendMailAgain, ""], again),
  ].filter(Boolean);
}
