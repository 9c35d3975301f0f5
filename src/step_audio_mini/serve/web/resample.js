// Turns sound of one sample rate into another, piece by piece: browsers run at 44.1 or 48 kHz, the protocol at 24 kHz.
// Windowed sinc, one table of taps a phase. Worklets cannot import in every browser, so the class is also a global:
// `addModule("resample.js")` before the worklet that uses it puts it into the same scope.

const CROSSINGS = 16; // zero crossings of the sinc on either side: about 80 dB, 0.7 ms of delay at 24 kHz

function gcd(a, b) {
  return b ? gcd(b, a % b) : a;
}

/** Taps of every phase, (phases, taps), each phase summing to one. */
function table(phases, cutoff, half) {
  const taps = 2 * half;
  const out = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const x = tap - half + 1 - phase / phases;
      const angle = Math.PI * x * cutoff;
      const sinc = Math.abs(angle) < 1e-9 ? 1 : Math.sin(angle) / angle;
      const turn = (Math.PI * x) / half;
      const window = Math.abs(x) >= half ? 0 : 0.42 + 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn);
      sum += out[phase * taps + tap] = sinc * window;
    }
    for (let tap = 0; tap < taps; tap++) out[phase * taps + tap] /= sum;
  }
  return out;
}

class Resampler {
  constructor(from, to) {
    const common = gcd(Math.round(from), Math.round(to));
    this.up = Math.round(to) / common;
    this.down = Math.round(from) / common;
    const cutoff = 0.95 * Math.min(1, to / from);
    this.half = Math.ceil(CROSSINGS / cutoff);
    this.taps = this.up === this.down ? null : table(this.up, cutoff, this.half);
    this.reset();
  }

  reset() {
    this.past = new Float32Array(2 * this.half - 1); // what the next output still needs of the input before
    this.phase = 0;
  }

  /** The next samples at the new rate; pieces of any length give together what one piece would. */
  push(input) {
    if (!this.taps) return input;
    const width = 2 * this.half;
    const all = new Float32Array(this.past.length + input.length);
    all.set(this.past);
    all.set(input, this.past.length);
    const out = new Float32Array(Math.ceil((input.length * this.up) / this.down) + 1);
    let count = 0;
    let start = 0; // never runs beyond the end: a step is shorter than the window
    while (start + width <= all.length) {
      const base = this.phase * width;
      let sum = 0;
      for (let tap = 0; tap < width; tap++) sum += all[start + tap] * this.taps[base + tap];
      out[count++] = sum;
      this.phase += this.down;
      start += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    this.past = all.slice(start);
    return out.subarray(0, count);
  }
}

globalThis.Resampler = Resampler;
export { Resampler };
