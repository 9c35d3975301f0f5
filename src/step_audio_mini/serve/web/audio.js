// Microphone and loudspeaker of the page: one AudioContext, one worklet each way. Opened by a gesture of the person.

import { pcmFromBase64 } from "./pcm.js";

const RATE = 24000;

/** Sound can be had here: false on plain http from another machine, where browsers give pages no microphone. */
export function soundPossible() {
  return window.isSecureContext && "AudioWorkletNode" in window && Boolean(navigator.mediaDevices?.getUserMedia);
}

export class Player extends EventTarget {
  // Events: started {item, at}, ended {item, played}, starved {preroll}, level {level, queued}
  #node;
  #context;
  #epoch = 0;
  #received = new Map(); // item -> samples handed to the ring, until it ended
  #position = { item: null, played: 0 };
  #waiting = null;
  #ducked = false;

  constructor(context) {
    super();
    this.#context = context;
    this.#node = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }) => this.#told(data);
    this.#node.connect(context.destination);
  }

  /** Seconds between a sample leaving the ring and its being heard. */
  get latency() {
    return this.#context.outputLatency || this.#context.baseLatency || 0;
  }

  /** An answer lies in the ring or sounds. */
  get busy() {
    return this.#received.size > 0;
  }

  push(item, base64) {
    const samples = pcmFromBase64(base64);
    this.#received.set(item, (this.#received.get(item) ?? 0) + samples.length);
    this.#node.port.postMessage({ push: item, samples, epoch: this.#epoch }, [samples.buffer]);
  }

  end(item) {
    this.#node.port.postMessage({ end: item, epoch: this.#epoch });
  }

  /** Fall silent now. Tells what of which item was heard, null where nothing was queued; never waits for a dead worklet. */
  clear() {
    const received = this.#received;
    const last = this.#position.item ? this.#position : { item: received.keys().next().value ?? null, played: 0 };
    this.#received = new Map();
    this.#position = { item: null, played: 0 };
    this.#node.port.postMessage({ clear: ++this.#epoch });
    return new Promise((resolve) => {
      this.#waiting?.({ item: null });
      const timer = setTimeout(() => this.#waiting?.({ item: null }), 150);
      this.#waiting = (told) => {
        clearTimeout(timer);
        this.#waiting = null;
        resolve(this.#heard(told.item === null ? last : told, received));
      };
    });
  }

  /** Keep still while the server decides whether the person means to interrupt; then go on where it was. */
  hold(on) {
    this.#node.port.postMessage({ hold: on, epoch: this.#epoch });
  }

  /** Play quietly while it is not clear whether the person means to interrupt. */
  duck(on) {
    if (on === this.#ducked) return;
    this.#ducked = on;
    this.#node.port.postMessage({ gain: on ? 0.25 : 1 });
  }

  /** Milliseconds of an item in whole numbers, never more than was received. */
  #heard({ item, played }, received) {
    if (item === null) return null;
    const heard = Math.min(received.get(item) ?? 0, Math.max(0, played - this.latency * RATE));
    return { item, ms: Math.floor((1000 * heard) / RATE) };
  }

  #told(message) {
    if ("cleared" in message) {
      if (message.cleared === this.#epoch) this.#waiting?.({ item: message.item, played: message.played });
    } else if ("started" in message) {
      if (!this.#received.has(message.started)) return; // of before a clear
      this.#position = { item: message.started, played: 0 };
      this.#emit("started", { item: message.started, at: performance.now() + 1000 * this.latency });
    } else if ("ended" in message) {
      if (this.#position.item === message.ended) this.#position = { item: null, played: 0 };
      this.#received.delete(message.ended);
      this.#emit("ended", { item: message.ended, played: message.played });
    } else if ("starved" in message) {
      this.#emit("starved", { preroll: message.starved });
    } else {
      if (message.position && this.#received.has(message.position.item)) this.#position = message.position;
      this.#emit("level", { level: message.level, queued: message.queued, ...this.#position });
    }
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

export class Microphone {
  #stream;
  #nodes;
  #lost;

  /** Hear until `close`; `heard({frame, level, peak})` gets 20 ms at a time, `lost()` is told of a pulled plug. */
  async open(context, { device, suppressNoise, heard, lost }) {
    this.#lost = lost;
    this.#stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        channelCount: 1,
        echoCancellation: true, // without it the assistant hears itself and stops
        noiseSuppression: suppressNoise,
        autoGainControl: true,
        ...(device ? { deviceId: { ideal: device } } : {}),
      },
    });
    const source = context.createMediaStreamSource(this.#stream);
    const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    capture.port.onmessage = ({ data }) => heard(data);
    source.connect(capture);
    this.#nodes = [source, capture];
    for (const track of this.#stream.getTracks()) track.onended = () => this.#lost?.();
  }

  get isOpen() {
    return Boolean(this.#stream);
  }

  close() {
    this.#lost = null;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    for (const node of this.#nodes ?? []) node.disconnect();
    this.#stream = this.#nodes = null;
  }
}

/** A running context with both worklets; its rate is the device's own, since not every browser converts a microphone. */
export async function openContext() {
  const context = new AudioContext({ latencyHint: "interactive" });
  await context.audioWorklet.addModule(new URL("resample.js", import.meta.url));
  for (const name of ["player-worklet.js", "capture-worklet.js"]) {
    await context.audioWorklet.addModule(new URL(name, import.meta.url));
  }
  await context.resume();
  return context;
}

/** The microphones there are; names are known only once the person has allowed one. */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices.filter((device) => device.kind === "audioinput" && device.deviceId && device.label);
}
