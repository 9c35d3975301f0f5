// Hears the microphone on the audio thread: mono, 24 kHz, frames of 20 ms as 16-bit samples with their level.
// Needs resample.js in the same scope.

const RATE = 24000;
const FRAME = 480;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new globalThis.Resampler(sampleRate, RATE);
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
    this.power = 0;
    this.peak = 0;
  }

  process([channels]) {
    if (!channels.length) return true; // nothing connected yet
    for (const value of this.resampler.push(mono(channels))) {
      this.power += value * value;
      this.peak = Math.max(this.peak, Math.abs(value));
      this.frame[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
      if (this.filled === FRAME) this.flush();
    }
    return true;
  }

  flush() {
    const level = Math.sqrt(this.power / FRAME);
    this.port.postMessage({ frame: this.frame, level, peak: this.peak }, [this.frame.buffer]);
    this.frame = new Int16Array(FRAME);
    this.filled = this.power = this.peak = 0;
  }
}

function mono(channels) {
  if (channels.length === 1) return channels[0];
  return channels[0].map((value, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
}

registerProcessor("capture", Capture);
