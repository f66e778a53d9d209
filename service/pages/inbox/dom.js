// Creates and finds elements. All text becomes text nodes, never HTML.

import { ago, exactly, hue, initial, t } from "/inbox/words.js";

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * Creates an element. In `properties`, functions are listeners of the event of their name, and other values are
 * attributes; `false`, `null` and `undefined` omit an attribute. Children are elements or texts.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Fills in the texts of the document: those of elements that `data-t` names, and of attributes, `data-t-NAME`. */
export function fillIn() {
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t[element.dataset.t];
  for (const name of ["aria-label", "placeholder"])
    for (const element of document.querySelectorAll(`[data-t-${name}]`))
      element.setAttribute(name, t[element.getAttribute(`data-t-${name}`)]);
}

/** The message of a problem. Those of the service are elements in English. */
export const messageOf = ({ message, isForeign }) => (isForeign ? make("span", { lang: "en" }, message) : message);

/** A decorative icon in the colour of the surrounding text. */
export function icon(path) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  for (const [name, value] of Object.entries({
    viewBox: "0 0 20 20",
    width: "16",
    height: "16",
    "aria-hidden": "true",
  })) {
    drawing.setAttribute(name, value);
  }
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}

/** The round picture of a user. */
export function avatar(name) {
  return make("span", { class: `avatar hue-${hue(name)}`, "aria-hidden": "true" }, initial(name));
}

/** A relative time, which `refreshTimes` updates. */
export function timeOf(iso) {
  return make("time", { datetime: iso, title: exactly(iso), "data-relative": true }, ago(iso));
}

/** Updates relative times. */
export function refreshTimes() {
  for (const time of document.querySelectorAll("time[data-relative]")) time.textContent = ago(time.dateTime);
}

/** Moves the focus to an element without scrolling. */
export function focusOn(element) {
  element?.focus({ preventScroll: true });
}

const title = { view: "", unread: 0 };

/** Updates the title of the window: the view, and the number of unread messages. */
export function setTitle(change) {
  Object.assign(title, change);
  const count = title.unread > 0 ? `(${title.unread}) ` : "";
  document.title = `${count}${title.view} – Herolo`;
}

/** Lifetime of a toast, and the interval at which one that is in use is checked again, in ms. */
const TOAST = 7000;
const TOAST_RECHECK = 2000;
const CROSS = "M5 5l10 10M15 5L5 15";

/** Shows a toast, which screen readers announce politely. `content` is a text or an array of texts and elements. The
 * toast disappears after a time, but not while it is hovered or has the focus. It replaces one with the same text, and
 * counts them. `ended` is called when it has disappeared without its action; such a toast makes room for no other.
 * Returns a function that removes it. */
export function showToast(content, action = null, { lifetime = TOAST, ended = null } = {}) {
  const parts = [content].flat();
  const text = parts.map((part) => part.textContent ?? part).join("");
  let before = null; // what had the focus before the toast
  const remove = () => {
    const hadFocus = toast.contains(document.activeElement);
    toast.remove();
    if (hadFocus) focusOn(before?.isConnected ? before : document.querySelector("#pane h2, #list-title"));
  };
  const close = () => {
    if (!toast.isConnected) return;
    remove();
    ended?.();
  };
  const expire = () => {
    if (toast.matches(":hover, :focus-within")) setTimeout(expire, TOAST_RECHECK);
    else close();
  };
  const toasts = byId("toasts");
  const same = [...toasts.children].find((one) => one.dataset.text === text && !ended && !("kept" in one.dataset));
  const count = Number(same?.dataset.count ?? 0) + 1;
  const toast = make(
    "div",
    {
      class: "toast",
      "data-text": text,
      "data-count": count,
      "data-kept": ended !== null,
      focusin: ({ relatedTarget }) => {
        if (!toast.contains(relatedTarget)) before = relatedTarget;
      },
    },
    make("span", { dir: "auto" }, ...parts, count > 1 && ` (${count}×)`),
    action &&
      make(
        "button",
        {
          type: "button",
          class: "link",
          click: () => {
            remove();
            action.run();
          },
        },
        action.name,
      ),
    make("button", { type: "button", class: "link", "aria-label": t.close, click: close }, icon(CROSS)),
  );
  const hadFocus = same?.contains(document.activeElement);
  same?.remove();
  if (toasts.childElementCount > 2) toasts.querySelector(".toast:not(:hover, :focus-within, [data-kept])")?.remove();
  toasts.append(toast);
  if (hadFocus) focusOn(toast.querySelector("button"));
  setTimeout(expire, lifetime);
  return remove;
}

let cancelDialog = () => {}; // resolves the last dialog with null

/**
 * Asks a question in a dialog. `title` is a text or an array of texts and elements. `choices` are [answer, label,
 * class]; the one at index `focus` has the focus. The answer is null if the dialog is closed without a choice.
 */
export function ask(title, text, choices, focus) {
  const dialog = byId("confirm");
  cancelDialog();
  byId("confirm-title").replaceChildren(...[title].flat());
  byId("confirm-text").textContent = text;
  return new Promise((resolve) => {
    const listening = new AbortController();
    const answer = (value) => {
      listening.abort();
      resolve(value);
    };
    cancelDialog = () => answer(null);
    const buttons = choices.map(([value, label, kind = ""]) =>
      make(
        "button",
        {
          class: `button ${kind}`,
          // The dialog gives the focus back when it closes, so it does that before the answer.
          click: (event) => {
            event.preventDefault();
            dialog.close();
            answer(value);
          },
        },
        label,
      ),
    );
    byId("confirm-buttons").replaceChildren(...buttons);
    // The event is asynchronous: the same dialog may already show the next question.
    dialog.addEventListener(
      "close",
      () => {
        if (!dialog.open) answer(null);
      },
      { signal: listening.signal },
    );
    dialog.showModal();
    buttons[focus].focus();
  });
}

/** Puts a button beside a password field, by which what is typed is shown. The id of its label is `ID-label`. */
export function withReveal(input) {
  const toggle = () => {
    const isShown = input.type === "password";
    input.type = isShown ? "text" : "password";
    button.textContent = isShown ? t.hide : t.show;
    button.setAttribute("aria-label", isShown ? t.hidePassword : t.showPassword);
    button.toggleAttribute("data-shown", isShown);
  };
  const button = make(
    "button",
    {
      type: "button",
      class: "button reveal",
      "aria-label": t.showPassword,
      "aria-describedby": `${input.id}-label`,
      click: toggle,
    },
    t.show,
  );
  const place = make("div", { class: "secret" });
  input.replaceWith(place);
  place.append(input, button);
  return place;
}

/** Hides the passwords of a form. Browsers offer to keep what is in a password field, and remember other texts. */
export function hidePasswords(form) {
  for (const button of form.querySelectorAll(".reveal[data-shown]")) button.click();
}

/** Makes screen readers announce a text that is also shown elsewhere. */
export function announce(text) {
  byId("alerts").replaceChildren(make("p", {}, text));
}

/** Removes all errors from a form. */
export function clearErrors(form) {
  for (const place of form.querySelectorAll("[data-error]")) {
    place.hidden = true;
    place.textContent = "";
  }
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

/** An error of a field as a sentence. The service continues the name of the field, in English. */
const sentenceOf = ({ detail, isForeign }) =>
  isForeign ? make("span", { lang: "en" }, `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`) : detail;

/**
 * Shows the errors of a problem in a form: at the fields that the problem names, otherwise above the form. `names` maps
 * names of the API to names of fields. The first invalid field gets the focus, otherwise `focus`.
 */
export function showErrors(form, problem, { names = {}, focus = null } = {}) {
  clearErrors(form);
  const general = [];
  for (const error of problem.errors) {
    const name = error.pointer.replace(/^(#\/|\?)/, "").split("/")[0];
    const place = form.querySelector(`[data-error="${CSS.escape(names[name] ?? name)}"]`);
    if (!place) {
      general.push(error.isForeign ? make("span", { lang: "en" }, `${name} ${error.detail}. `) : `${error.detail} `);
      continue;
    }
    place.append(place.hidden ? "" : " ", sentenceOf(error));
    place.hidden = false;
    form.elements[names[name] ?? name]?.setAttribute("aria-invalid", "true");
  }
  if (general.length > 0 || problem.errors.length === 0) {
    const place = form.querySelector('[data-error="form"]');
    place.replaceChildren(...(general.length > 0 ? general : [messageOf(problem)]));
    place.hidden = false;
  }
  (form.querySelector("[aria-invalid]") || focus || form.querySelector("input:not([readonly]), textarea"))?.focus();
}
