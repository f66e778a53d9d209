// Making and finding elements. Text becomes text nodes and never HTML, whoever wrote it.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * A new element. Of `properties`, functions listen to the event of their name, `class` and other names are attributes,
 * and `false`, `null` and `undefined` leave an attribute out. Children are elements or texts.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A small drawing in the colour of the text around it; it says nothing that the text does not. */
export function icon(path) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 20 20", width: "16", height: "16", "aria-hidden": "true" })) {
    drawing.setAttribute(name, value);
  }
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}

/** Moves the focus where a view begins, and does not scroll the page away for it. */
export function focusOn(element) {
  element?.focus({ preventScroll: true });
}

const title = { view: "", unread: 0 };

/** The title of the window: what is shown, and how much is unread. */
export function entitle(change) {
  Object.assign(title, change);
  const count = title.unread > 0 ? `(${title.unread}) ` : "";
  document.title = `${count}${title.view} – Herolo`;
}

/** For how long a toast is there, and when it is asked again whether it is in use, in ms. */
const TOAST = 7000;
const IN_USE = 2000;
const CROSS = "M5 5l10 10M15 5L5 15";

/** Tells it in the corner for those who see, politely for those who listen. It goes away by itself, but not while it is
 * pointed at or has the focus. */
export function tell(text, action = null) {
  let before = null; // what had the focus before the toast
  const close = () => {
    const hadFocus = toast.contains(document.activeElement);
    toast.remove();
    if (hadFocus) focusOn(before?.isConnected ? before : document.querySelector("#pane h2, #list-title"));
  };
  const expire = () => { if (toast.matches(":hover, :focus-within")) setTimeout(expire, IN_USE); else close(); };
  const toast = make("div", { class: "toast", focusin: ({ relatedTarget }) => { if (!toast.contains(relatedTarget)) before = relatedTarget; } },
    make("span", { dir: "auto" }, text),
    action && make("button", { type: "button", class: "link", click: () => { close(); action.run(); } }, action.name),
    make("button", { type: "button", class: "link", "aria-label": "Close", click: close }, icon(CROSS)));
  const toasts = byId("toasts");
  if (toasts.childElementCount > 2) toasts.querySelector(".toast:not(:hover, :focus-within)")?.remove();
  toasts.append(toast);
  setTimeout(expire, TOAST);
}

let endQuestion = () => {}; // answers the question that was asked last with no

/**
 * Asks a question in a dialog. `choices` are [answer, label, class]; the one at `focus` has the focus. The answer is null
 * if the dialog is closed otherwise.
 */
export function ask(title, text, choices, focus) {
  const dialog = byId("confirm");
  endQuestion();
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  return new Promise((resolve) => {
    const listening = new AbortController();
    const answer = (value) => { listening.abort(); resolve(value); };
    endQuestion = () => answer(null);
    const buttons = choices.map(([value, label, kind = ""]) => make("button", { class: `button ${kind}`, click: () => answer(value) }, label));
    byId("confirm-buttons").replaceChildren(...buttons);
    // The event comes a moment later, when the same dialog may ask the next question already.
    dialog.addEventListener("close", () => { if (!dialog.open) answer(null); }, { signal: listening.signal });
    dialog.showModal();
    buttons[focus].focus();
  });
}

/** Interrupts those who listen, with something that is shown elsewhere already. */
export function alarm(text) {
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

/**
 * Shows the errors of a form: at each field that the problem names, else above the form. `names` says under which other
 * names the API knows a field. The first wrong field gets the focus, or else `focus`.
 */
export function showErrors(form, problem, { names = {}, focus = null } = {}) {
  clearErrors(form);
  const general = [];
  for (const { pointer, detail } of problem.errors) {
    const name = pointer.replace(/^#\//, "").split("/")[0];
    const place = form.querySelector(`[data-error="${CSS.escape(names[name] ?? name)}"]`);
    if (!place) {
      general.push(`${name} ${detail}`);
      continue;
    }
    const sentence = detail.charAt(0).toUpperCase() + detail.slice(1) + ".";
    place.textContent = place.hidden ? sentence : `${place.textContent} ${sentence}`;
    place.hidden = false;
    form.elements[names[name] ?? name]?.setAttribute("aria-invalid", "true");
  }
  if (general.length > 0 || problem.errors.length === 0) {
    const place = form.querySelector('[data-error="form"]');
    place.textContent = general.join("; ") || problem.message;
    place.hidden = false;
  }
  (form.querySelector("[aria-invalid]") || focus || form.querySelector("input:not([readonly]), textarea"))?.focus();
}
