// Notifications of new messages while the inbox is hidden, and the choice of them in the account.

import { make, showToast } from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { shown, t } from "/inbox/words.js";

/** The choice, or null if the browser has no notifications. */
export function choice() {
  if (!("Notification" in globalThis)) return null;
  const isOn = session.hasNotices() && Notification.permission === "granted";
  const box = make("input", { type: "checkbox", checked: isOn, change: () => choose(box) });
  return make("label", { class: "check" }, box, t.notifyMe);
}

/** Asks the browser for the permission, and keeps the choice as long as the session. */
async function choose(box) {
  if (!box.checked) return session.setNotices(false);
  const permission = await Notification.requestPermission();
  box.checked = permission === "granted" && isPossible();
  session.setNotices(box.checked);
  if (box.checked) return showToast(t.willNotify);
  if (permission === "granted") return showToast(t.notifiesInstalledOnly);
  return showToast(t.notificationsDenied);
}

/** Some browsers, such as Chrome on Android, throw an error: they have notifications of service workers only. */
function isPossible() {
  try {
    new Notification("Herolo", { body: t.willNotify, tag: "herolo" }).close();
    return true;
  } catch {
    return false;
  }
}

/** Notifies of a message, and opens it on a click. Others may see the screen, so its text and subject are left out. */
export function notify(message) {
  if (!session.hasNotices() || Notification.permission !== "granted") return;
  const options = {
    body: t.notificationFrom(shown(message.sender)),
    icon: "/inbox/icon.svg",
    tag: `herolo-${message.id}`,
  };
  const notification = new Notification(t.notificationTitle, options);
  notification.addEventListener("click", () => {
    notification.close();
    globalThis.focus();
    location.hash = `#/inbox/${message.id}`;
  });
}
