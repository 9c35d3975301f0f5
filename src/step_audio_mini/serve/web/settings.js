// What the person chose, kept in this browser; never what was said. A browser without storage forgets, and that is all.

const DEFAULTS = {
  language: null, // of the page; null: the browser's
  theme: "auto",
  mode: "open",
  pack: "", // a model id of the server's
  voice: "",
  spoken: "",
  pace: "auto",
  device: "",
  aloud: true,
  quiet: true,
  keep: false,
};
const NAME = "step-audio.settings";
const KEY = "step-audio.key";

export class Settings extends EventTarget {
  #values = { ...DEFAULTS, ...stored(NAME) };

  get(name) {
    return this.#values[name];
  }

  set(name, value) {
    if (this.#values[name] === value) return;
    this.#values[name] = value;
    store(localStorage, NAME, JSON.stringify(this.#values));
    this.dispatchEvent(new CustomEvent("changed", { detail: { name, value } }));
  }

  /** The server's key lives as long as the tab. */
  get key() {
    try {
      return sessionStorage.getItem(KEY) ?? "";
    } catch {
      return "";
    }
  }

  set key(value) {
    store(sessionStorage, KEY, value);
  }
}

export function stored(name) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Whether it was kept: storage may be full or forbidden, and the page works without. */
export function store(where, name, value) {
  try {
    where.setItem(name, value);
    return true;
  } catch {
    return false;
  }
}
