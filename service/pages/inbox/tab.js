// The state that this tab keeps across reloads (in sessionStorage or, if that is full or blocked, in the page only),
// and the messages between the tabs of a browser. Nothing is written to the disk.

const values = new Map();
const subscribers = new Map();
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("herolo") : null;

/** The stored value of this name, or null. */
export function stored(name) {
  if (values.has(name)) return values.get(name);
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}

/** Stores a value. */
export function store(name, value) {
  values.set(name, value);
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // The value is kept in the page.
  }
}

/** Deletes all values. */
export function forget() {
  values.clear();
  try {
    sessionStorage.clear();
  } catch {
    // A blocked storage is empty.
  }
}

/** Sends a value to the other tabs. */
export const publish = (topic, value) => channel?.postMessage({ topic, value });

/** Calls `callback` with the values that other tabs publish on a topic. */
export const subscribe = (topic, callback) => subscribers.set(topic, callback);

channel?.addEventListener("message", ({ data }) => subscribers.get(data.topic)?.(data.value));
