// The line to the server: OpenAI Realtime events over one WebSocket, taken up again when it breaks by chance.

const RECOVERABLE = new Set([1001, 1005, 1006, 1011, 1015]);
const FINAL = new Set(["key", "ended"]); // trying again would change nothing
const TRIES = 20; // some minutes: a server needs half a minute to start
const STUCK = 4000; // our own code: nothing goes out any more
const MOST_WAITING = 1 << 20; // bytes not yet sent: fifteen seconds of microphone, the line is dead

/** Milliseconds before try number `tries` (from 0): doubling, shaken, longer where the server is full or restarts. */
export function delayBefore(tries, code, shake = Math.random()) {
  const first = code === 1012 || code === 1013 ? 1500 : 400;
  return Math.round(Math.min(8000, first * 2 ** tries) * (0.75 + 0.5 * shake));
}

/** Why there is no line: `status` is what HTTP says where the line was refused, undefined where it stood and broke. */
export function reasonOf(code, status) {
  if (status === 401 || status === 403 || code === 1008) return "key";
  if (status === 503 || code === 1013) return "full";
  if (status === 0) return "unreachable";
  if (status !== undefined) return "refused";
  if (code === 1012) return "restart";
  return code === STUCK || RECOVERABLE.has(code) ? "lost" : "ended";
}

export class Line extends EventTarget {
  // Events: message {event}, up, down {delay, reason} (it will be tried again), over {reason, code}
  #socket = null;
  #tries = 0;
  #timer = null;
  #wanted = false;
  #where = null;

  get isUp() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open({ url, key }) {
    this.close();
    this.#where = { url, key };
    this.#wanted = true;
    this.#tries = 0;
    this.#connect();
  }

  close() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  /** Try at once: the network came back, or the person asks for it. */
  hurry() {
    if (!this.#wanted || this.#socket) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  send(event) {
    if (!this.isUp) return false;
    if (this.#socket.bufferedAmount > MOST_WAITING) {
      this.#socket.close(STUCK, "the line is stuck");
      return false;
    }
    this.#socket.send(JSON.stringify(event));
    return true;
  }

  #connect() {
    const { url, key } = this.#where;
    const protocols = ["realtime"];
    if (key) protocols.push(`openai-insecure-api-key.${key}`); // a page cannot set headers on a WebSocket
    const socket = (this.#socket = new WebSocket(url, protocols));
    let opened = false;
    socket.onopen = () => {
      opened = true;
      if (socket === this.#socket) this.#emit("up");
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      const event = parsed(data);
      if (!event) return;
      if (event.type !== "error") this.#tries = 0;
      this.#emit("message", { event });
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#lost(code, opened);
    };
  }

  async #lost(code, opened) {
    this.#socket = null;
    const status = opened ? undefined : await this.#probe();
    if (!this.#wanted || this.#socket) return;
    const reason = reasonOf(code, status);
    if (FINAL.has(reason) || this.#tries >= TRIES) {
      this.#wanted = false;
      this.#emit("over", { reason, code });
      return;
    }
    const delay = delayBefore(this.#tries++, reason === "full" ? 1013 : code);
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#emit("down", { delay, reason });
  }

  /** A browser does not tell why a handshake was refused; the same server over HTTP does. 0: nobody there. */
  async #probe() {
    const { url, key } = this.#where;
    const headers = key ? { Authorization: `Bearer ${key}` } : {};
    const ask = (path) => fetch(new URL(path, url.replace(/^ws/, "http")), { headers }).then((answer) => answer.status, () => 0);
    const allowed = await ask("models");
    return allowed === 200 ? ask("../readyz") : allowed;
  }

  #emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function parsed(data) {
  try {
    const event = JSON.parse(data);
    return typeof event?.type === "string" ? event : null;
  } catch {
    return null; // not ours to mend: the next frame may be whole
  }
}
