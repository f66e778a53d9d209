// Forms of views that are loaded when they are opened.

import { attempt } from "/inbox/access.js";
import { Problem } from "/inbox/api.js";
import { clearErrors, make, withReveal } from "/inbox/dom.js";
import { t } from "/inbox/words.js";

/**
 * Creates a form. `fields` are [name, label, attributes], with the names of the API; the attribute `hint` is a text
 * below the field. Empty fields are errors. `button` is [label, class]. `action(values, wait)` sends the values.
 */
export function form(id, fields, [label, kind], action, username = "") {
  const button = make("button", { class: `button ${kind}` }, label);
  const send = (given, wait) => {
    const values = Object.fromEntries(
      fields.map(([name]) => [name, given.elements[name].value.trim() && given.elements[name].value]),
    );
    const missing = fields.filter(([name]) => values[name] === "");
    if (missing.length > 0) {
      throw new Problem(422, { errors: missing.map(([name]) => ({ pointer: `#/${name}`, detail: t.fillIn })) });
    }
    return action(values, wait);
  };
  const submit = async (event) => {
    event.preventDefault();
    if (!(await attempt(element, button, send))) return;
    element.reset();
    clearErrors(element);
  };
  const element = make(
    "form",
    { id, novalidate: true, submit },
    make("p", { class: "form-error", "data-error": "form", role: "alert", hidden: true }),
    username && nameOf(username),
    ...fields.map((given) => field(id, ...given)),
    make("p", { class: "buttons" }, button),
  );
  return element;
}

/** Password managers take the name from here. */
const nameOf = (username) =>
  make("input", {
    class: "visually-hidden",
    name: "username",
    autocomplete: "username",
    value: username,
    readonly: true,
    tabindex: "-1",
    "aria-hidden": "true",
  });

function field(form, name, label, { hint, ...attributes }) {
  const id = `${form}-${name}`;
  const notes = [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" ");
  const input = make("input", { id, name, "aria-describedby": notes, ...attributes });
  return make(
    "div",
    { class: "field" },
    make("label", { for: id, id: `${id}-label` }, label),
    input.type === "password" ? withReveal(input) : input,
    hint && make("p", { class: "hint", id: `${id}-hint` }, hint),
    make("p", { class: "error", id: `${id}-error`, "data-error": name, hidden: true }),
  );
}
