// What this tab keeps for a reload and forgets when it ends (sessionStorage, and where that is full or closed, the page
// alone), and what the tabs of one browser tell each other. Nothing is written to the disk.

const kept = new Map();
const hearers = new Map();
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("herolo") : null;

/** The value that was kept under this name, or null. */
export function stored(name) {
  if (kept.has(name)) return kept.get(name);
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}

/** Keeps a value; null is none. */
export function store(name, value) {
  kept.set(name, value);
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // The page has it.
  }
}

/** Forgets everything. */
export function forget() {
  kept.clear();
  try {
    sessionStorage.clear();
  } catch {
    // There is nothing in it.
  }
}

/** Tells the other tabs. */
export const publish = (topic, value) => channel?.postMessage({ topic, value });

/** Calls `hear` with what other tabs publish on a topic. */
export const subscribe = (topic, hear) => hearers.set(topic, hear);

channel?.addEventListener("message", ({ data }) => hearers.get(data.topic)?.(data.value));
