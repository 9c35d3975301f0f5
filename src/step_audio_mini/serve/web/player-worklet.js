// Plays the answer on the audio thread: one ring buffer at 24 kHz, resampled as it is drawn.
//
// In:  {push: item, samples, epoch}  more sound of an item       {end: item, epoch}  no more of it will come
//      {clear: epoch}                forget everything older than this epoch         {gain}  duck or return
//      {hold, epoch}                 keep still, and go on at the very next sample when it is false again
// Out: {started: item}   its first sample sounds   {position: {item, played}, queued, level}  every 40 ms
//      {ended: item, played}   {cleared: epoch, item, played}   {starved: preroll}
// `played` counts samples at 24 kHz of that item that have left the ring: what a barge-in truncates by.
//
// The queue cannot be stranded: whoever clears moves to a new epoch at once and sends its next sound in it; sound of an
// older epoch that is still on its way is dropped here, and no state but "nothing queued" is left behind.

const RATE = 24000;
const SHORTEST = 0.05 * RATE; // pre-roll: what must lie in the ring before an item begins to sound
const LONGEST = 0.2 * RATE;
const MOST = 600 * RATE;
const FADE = 0.008 * RATE; // a cut fades over 8 ms, so that it does not click

class Ring {
  constructor() {
    this.data = new Float32Array(1 << 18);
    this.drop();
  }

  drop() {
    this.start = 0;
    this.length = 0;
  }

  push(samples) {
    const room = Math.min(samples.length, MOST - this.length);
    if (this.length + room > this.data.length) this.grow(this.length + room);
    const mask = this.data.length - 1;
    for (let i = 0; i < room; i++) this.data[(this.start + this.length + i) & mask] = samples[i];
    this.length += room;
    return room;
  }

  take(count) {
    const out = new Float32Array(count);
    const mask = this.data.length - 1;
    for (let i = 0; i < count; i++) out[i] = this.data[(this.start + i) & mask];
    this.start = (this.start + count) & mask;
    this.length -= count;
    return out;
  }

  grow(wanted) {
    let size = this.data.length;
    while (size < wanted) size *= 2;
    const kept = this.length;
    const old = this.take(kept);
    this.data = new Float32Array(size);
    this.data.set(old);
    this.start = 0;
    this.length = kept;
  }
}

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new globalThis.Resampler(RATE, sampleRate);
    this.ring = new Ring();
    this.epoch = 0;
    this.preroll = 0.08 * RATE;
    this.gain = this.target = 1;
    this.smooth = 1 - Math.exp(-1 / (0.015 * sampleRate));
    this.out = new Float32Array(0); // resampled, not yet drawn
    this.power = this.drawn = 0;
    this.forget();
    this.port.onmessage = ({ data }) => this.told(data);
  }

  forget() {
    this.ring.drop();
    this.items = []; // {item, left, played, ended}: whose sound lies in the ring, in order
    this.held = false;
    this.playing = false;
    this.smoothly = true; // the item has not starved
  }

  told(message) {
    if ("gain" in message) this.target = message.gain;
    if ("clear" in message) this.clear(message.clear);
    if (message.epoch !== this.epoch) return;
    if ("hold" in message) this.held = message.hold;
    if ("push" in message) this.push(message.push, message.samples);
    if ("end" in message) this.end(message.end);
  }

  push(item, samples) {
    let last = this.items.at(-1);
    if (last?.item !== item) {
      if (last) last.ended = true;
      this.items.push((last = { item, left: 0, played: 0, ended: false }));
    }
    last.left += this.ring.push(samples);
  }

  end(item) {
    const found = this.items.find((entry) => entry.item === item);
    if (found) found.ended = true;
    else this.port.postMessage({ ended: item, played: 0 });
  }

  clear(epoch) {
    const head = this.items[0];
    let tail = new Float32Array(0);
    if (head && this.playing) {
      tail = this.ring.take(Math.min(FADE, head.left)).map((value, i) => value * (1 - i / FADE));
      head.played += tail.length;
    }
    this.out = join(this.out, this.resampler.push(tail));
    this.epoch = epoch;
    this.port.postMessage({ cleared: epoch, item: head?.item ?? null, played: head?.played ?? 0 });
    this.forget();
  }

  process(_inputs, [[channel]]) {
    if (!this.held) this.draw(channel.length);
    const ready = Math.min(channel.length, this.out.length);
    for (let i = 0; i < channel.length; i++) {
      this.gain += this.smooth * (this.target - this.gain);
      channel[i] = i < ready ? this.out[i] * this.gain : 0;
      this.power += channel[i] * channel[i];
    }
    this.out = this.out.slice(ready);
    this.drawn += channel.length;
    if (this.drawn >= 0.04 * sampleRate) this.report();
    return true;
  }

  /** Fill `out` up to `wanted` samples from the ring, item by item. */
  draw(wanted) {
    while (this.out.length < wanted && this.items.length) {
      const head = this.items[0];
      if (!this.playing && !this.begin(head)) return;
      const need = Math.ceil(((wanted - this.out.length) * RATE) / sampleRate);
      const count = Math.min(need, head.left);
      this.out = join(this.out, this.resampler.push(this.ring.take(count)));
      head.left -= count;
      head.played += count;
      if (head.left) continue;
      if (head.ended) this.finish(head);
      else this.starve();
    }
  }

  begin(head) {
    if (!head.ended && this.ring.length < this.preroll) return false;
    if (head.ended && !head.left) {
      this.finish(head);
      return false;
    }
    this.playing = true;
    if (!head.played) this.port.postMessage({ started: head.item });
    return true;
  }

  finish(head) {
    this.items.shift();
    this.playing = this.items.length > 0 && this.items[0].left >= this.preroll;
    if (this.smoothly) this.preroll = Math.max(SHORTEST, this.preroll - 0.01 * RATE);
    this.smoothly = true;
    this.port.postMessage({ ended: head.item, played: head.played });
    if (this.playing) this.port.postMessage({ started: this.items[0].item });
  }

  /** The network was slower than the voice: wait for more this time. */
  starve() {
    this.playing = this.smoothly = false;
    this.preroll = Math.min(LONGEST, this.preroll + 0.04 * RATE);
    this.port.postMessage({ starved: this.preroll / RATE });
  }

  report() {
    const head = this.items[0];
    const level = Math.sqrt(this.power / this.drawn);
    const position = head ? { item: head.item, played: head.played } : null;
    this.port.postMessage({ position, queued: this.ring.length, level });
    this.power = this.drawn = 0;
  }
}

function join(first, second) {
  if (!first.length) return second;
  const out = new Float32Array(first.length + second.length);
  out.set(first);
  out.set(second, first.length);
  return out;
}

registerProcessor("player", Player);
