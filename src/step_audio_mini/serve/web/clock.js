// Two small measures of the microphone: when which sample was heard, and whether somebody speaks over the assistant.

const FRAME_MS = 20;
const REMEMBERED = 3000; // frames: one minute

/** The input clock of the protocol counts samples sent; this one tells when they were heard, on the page's clock. */
export class InputClock {
  #sent = 0;
  #walls = [];

  restart() {
    this.#sent = 0;
    this.#walls = [];
  }

  appended(at) {
    this.#sent += 1;
    this.#walls.push(at);
    if (this.#walls.length > REMEMBERED) this.#walls.shift();
  }

  /** Page time of a moment of the input clock, null where that is not remembered. */
  wallOf(ms) {
    if (!Number.isFinite(ms)) return null;
    const frame = Math.floor(ms / FRAME_MS);
    const at = this.#walls[frame - (this.#sent - this.#walls.length)];
    return at === undefined ? null : at + (ms % FRAME_MS) - FRAME_MS;
  }
}

/**
 * Speech over the answer, by loudness alone: enough to play it quietly for a moment, the server decides the rest.
 * What the echo canceller leaves counts as noise, since the floor is learnt while the answer plays, too.
 */
export class Overlap {
  #floor = 0.003;
  #loud = 0;
  #quiet = 0;

  /** Takes a frame's level; true while somebody seems to speak. */
  push(level) {
    this.#floor = level < this.#floor ? 0.9 * this.#floor + 0.1 * level : Math.min(0.05, this.#floor * 1.004);
    const speaks = level > Math.max(0.012, 6 * this.#floor);
    this.#loud = speaks ? this.#loud + 1 : Math.max(0, this.#loud - 1);
    this.#quiet = speaks ? 0 : this.#quiet + 1;
    if (this.#quiet > 20) this.#loud = 0; // 400 ms
    return this.#loud >= 4; // 80 ms
  }
}
