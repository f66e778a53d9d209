// What this tab keeps for a reload, and forgets when it ends: sessionStorage, and where that is full or closed, the page
// alone.

const kept = new Map();

/** What was kept under this name, or null. */
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
