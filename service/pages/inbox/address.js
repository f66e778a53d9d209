// The e-mail address of the account: a part of its view, with the confirmation of the address and its change.

import { make, showToast } from "/inbox/dom.js";
import * as session from "/inbox/session.js";

/** The element. `form` makes a form of this user, and `password` are the attributes of the field for the password. */
export async function content(form, password) {
  let account = await session.callAs("GET", session.own());
  const { mail = false } = await session.serviceInfo().catch(() => ({}));
  const state = make("div", {}, ...describe(account, mail, form));
  const change = async (values, wait) => {
    const body = { ...values, email: values.email.trim() };
    const changed = await session.callAs("PUT", session.own("/email"), { body, wait });
    account = { ...account, pending_email: undefined, ...changed };
    state.replaceChildren(...describe(account, mail, form));
    showToast(
      changed.pending_email
        ? `A mail is on its way to ${changed.pending_email}. The address is changed once you open the link in it.`
        : "The e-mail address is changed.",
    );
  };
  const fields = [
    ["email", "New address", { type: "email", autocomplete: "email" }],
    ["password", "Your password", password],
  ];
  return make("div", {}, state, form("email-form", fields, ["Change address", ""], change));
}

/** The address, and how far its confirmation or its change has come. */
function describe({ email, email_verified, pending_email }, mail, form) {
  const again = async (_, wait) => {
    await session.callAs("POST", session.own("/email-verifications"), { wait });
    showToast("A mail is on its way, unless you have got one within ten minutes.");
  };
  const confirmed = email_verified ? ", and confirmed." : ", and not confirmed yet.";
  const isOpen = mail && (pending_email || !email_verified);
  return [
    make("p", {}, "It is ", make("b", {}, make("bdi", {}, email)), mail ? confirmed : "."),
    pending_email &&
      make(
        "p",
        { id: "pending-email" },
        make("b", {}, make("bdi", {}, pending_email)),
        " replaces it once you open the link in the mail to it. To keep the current address, enter it below.",
      ),
    isOpen && form("verification-form", [], ["Send the mail again", ""], again),
  ].filter(Boolean);
}
