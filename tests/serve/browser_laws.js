// Laws of the page's parts, driven by hand in virtual time: a worklet is a class with a `process`, nothing more.

globalThis.laws = (() => {
  /** A worklet's processor outside of the audio thread; `sent` is what it told. */
  async function processor(file, rate) {
    const made = [];
    globalThis.sampleRate = rate;
    globalThis.AudioWorkletProcessor = class {
      port = { sent: [], postMessage: (message) => this.port.sent.push(message) };
    };
    globalThis.registerProcessor = (_, kind) => made.push(kind);
    await import("/resample.js");
    await import(`/${file}?${Math.random()}`);
    const node = new made[0]();
    const tell = (data) => node.port.onmessage({ data });
    const sent = node.port.sent;
    return { node, tell, sent, told: (key) => sent.filter((message) => key in message) };
  }

  function run(node, blocks) {
    const out = new Float32Array(128 * blocks);
    for (let at = 0; at < out.length; at += 128) node.process([], [[out.subarray(at, at + 128)]]);
    return out;
  }

  let seed = 1;
  const random = () => ((seed = (seed * 16807) % 2147483647), seed / 2147483647);
  const noise = (count) => Float32Array.from({ length: count }, () => 0.2 + 0.6 * random()); // never zero
  const sounding = (samples) => samples.reduce((count, value) => count + (Math.abs(value) > 0.01), 0);

  const worst = (wanted, got) => wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - (got[i] ?? 9))), 0);

  async function playsWhatCame() {
    const { node, tell, told } = await processor("player-worklet.js", 24000);
    const sound = noise(12000);
    for (let at = 0; at < 12000; at += 700) tell({ push: "a", samples: sound.slice(at, at + 700), epoch: 0 });
    tell({ end: "a", epoch: 0 });
    const out = run(node, 120);
    return { wrong: worst(sound, out), ended: told("ended"), started: told("started").length, after: sounding(out.slice(12000)) };
  }

  async function waitsBeforeItBegins() {
    const { node, tell, told } = await processor("player-worklet.js", 24000);
    tell({ push: "a", samples: noise(1000), epoch: 0 });
    const before = sounding(run(node, 20));
    tell({ push: "a", samples: noise(1000), epoch: 0 });
    const begun = sounding(run(node, 4));
    run(node, 40); // runs dry
    const starved = told("starved").map((message) => message.starved);
    tell({ push: "a", samples: noise(2200), epoch: 0 });
    const waits = sounding(run(node, 4)); // longer this time
    tell({ push: "a", samples: noise(1000), epoch: 0 });
    return { before, begun, starved, waits, goesOn: sounding(run(node, 4)) };
  }

  async function shortAnswersSound() {
    const { node, tell, told } = await processor("player-worklet.js", 24000);
    tell({ push: "a", samples: noise(300), epoch: 0 });
    tell({ end: "a", epoch: 0 });
    return { sounds: sounding(run(node, 10)), ended: told("ended") };
  }

  async function clearNeverStrands() {
    const { node, tell, told } = await processor("player-worklet.js", 24000);
    tell({ push: "a", samples: noise(24000), epoch: 0 });
    const heard = sounding(run(node, 50));
    tell({ clear: 1 });
    tell({ push: "a", samples: noise(24000), epoch: 0 }); // was on its way
    const tail = sounding(run(node, 20));
    tell({ push: "b", samples: noise(24000), epoch: 1 });
    const next = sounding(run(node, 10));
    return { heard, tail, cleared: told("cleared"), next };
  }

  async function holdLosesNothing() {
    const { node, tell } = await processor("player-worklet.js", 24000);
    const sound = noise(12000);
    tell({ push: "a", samples: sound, epoch: 0 });
    const first = run(node, 30);
    tell({ hold: true, epoch: 0 });
    const still = run(node, 30);
    tell({ hold: false, epoch: 0 });
    const all = [...first, ...run(node, 60)];
    return { still: sounding(still), wrong: worst(sound.slice(0, 11000), all) };
  }

  /** Any order of pushes, ends, clears and holds: what was not cleared is played to its end, then it is quiet. */
  async function anyOrderEnds(rounds) {
    const wrong = [];
    for (let round = 0; round < rounds; round++) {
      const { node, tell, told } = await processor("player-worklet.js", [24000, 44100, 48000][round % 3]);
      let epoch = 0;
      let items = new Map();
      for (let step = 0; step < 30; step++) {
        const what = random();
        const item = `${epoch}.${Math.floor(step / 6)}`;
        if (what < 0.5) {
          const count = Math.floor(2500 * random());
          tell({ push: item, samples: noise(count), epoch });
          items.set(item, (items.get(item) ?? 0) + count);
        } else if (what < 0.6) tell({ end: item, epoch });
        else if (what < 0.7) {
          tell({ clear: ++epoch });
          items = new Map();
        } else if (what < 0.75) tell({ push: "late", samples: noise(500), epoch: epoch - 1 });
        else if (what < 0.8) tell({ hold: random() < 0.5, epoch });
        else run(node, Math.floor(20 * random()));
      }
      tell({ hold: false, epoch });
      for (const item of items.keys()) tell({ end: item, epoch });
      run(node, 1200); // more than all that can lie in the ring
      const ended = new Map();
      for (const { ended: item, played } of told("ended")) ended.set(item, (ended.get(item) ?? 0) + played);
      for (const [item, count] of items) if (ended.get(item) !== count) wrong.push([round, item, count, ended.get(item)]);
      if (ended.has("late") || sounding(run(node, 20))) wrong.push([round, "not quiet"]);
    }
    return wrong;
  }

  async function frames(rate) {
    const { node, sent } = await processor("capture-worklet.js", rate);
    const count = rate; // one second
    const tone = Float32Array.from({ length: count }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / rate));
    for (let at = 0; at + 128 <= count; at += 128) node.process([[tone.subarray(at, at + 128)]]);
    const { level, peak, frame } = sent[20];
    return { frames: sent.length, level, peak, length: frame.length, loudest: Math.max(...frame) };
  }

  /** A tone through the resampler: gain, and how far pieces differ from the whole. */
  async function resampled(from, to, hertz) {
    const { Resampler } = await import("/resample.js");
    const tone = Float32Array.from({ length: from }, (_, i) => Math.sin((2 * Math.PI * hertz * i) / from));
    const whole = new Resampler(from, to).push(tone);
    const piecewise = new Resampler(from, to);
    const pieces = [];
    for (let at = 0; at < from; ) {
      const length = 1 + Math.floor(300 * random());
      pieces.push(...piecewise.push(tone.slice(at, at + length)));
      at += length;
    }
    const steady = whole.slice(2000, -2000);
    const gain = Math.sqrt((2 * steady.reduce((sum, value) => sum + value * value, 0)) / steady.length);
    return { gain, differ: worst(whole, pieces), count: whole.length };
  }

  async function conversation(events) {
    const { Conversation, breakdown } = await import("/conversation.js");
    const talk = new Conversation((ms) => 1000 + ms);
    const marks = [];
    talk.addEventListener("marker", ({ detail }) => marks.push(detail));
    for (const [now, event] of events) {
      if (event.sounded) talk.sounded(event.sounded, now);
      else if (event.cut) talk.cut(event.cut, event.ms, now);
      else talk.receive(event, now);
    }
    const answer = talk.turns.find((turn) => turn.kind === "it");
    return { plain: talk.plain().map(({ at, ...rest }) => rest), marks, times: answer && breakdown(answer) };
  }

  async function waits() {
    const { delayBefore, reasonOf } = await import("/socket.js");
    const delays = [0, 1, 2, 3, 4, 5, 6, 7].map((tries) => [delayBefore(tries, 1006, 0), delayBefore(tries, 1012, 1)]);
    const refused = [401, 503, 0, 200].map((status) => reasonOf(1006, status));
    return { delays, reasons: [reasonOf(1008), ...refused, ...[1013, 1012, 1006, 1009].map((code) => reasonOf(code))] };
  }

  /** A long call in the page's own list, with long results here and there, all opened. */
  async function hoursOfTalk() {
    const { Conversation } = await import("/conversation.js");
    const { View } = await import("/view.js");
    const list = document.getElementById("turns");
    const [talk, view] = [new Conversation(), new View(list)];
    talk.addEventListener("changed", ({ detail }) => view.show(detail.turn));
    talk.addEventListener("removed", ({ detail }) => view.drop(detail.turn));
    const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const result = { rows: Array.from({ length: 3000 }, (_, row) => ({ row, name: "w".repeat(60) })) };
    const table = { name: "read_the_whole_table", arguments: { of: { place: "x".repeat(300) } }, result };
    const began = performance.now();
    for (let i = 0; i < 520; i++) {
      talk.wrote(`u${i}`, `question ${i} `.repeat(5), i);
      talk.receive({ type: "response.created", response: { id: `r${i}` } }, i);
      const at = { response_id: `r${i}`, item_id: `m${i}` };
      for (const delta of ["It ", "is ", "on. "]) talk.receive({ type: "response.output_text.delta", delta, ...at }, i);
      const extra = { tool_calls: i % 50 ? [] : [table] };
      talk.receive({ type: "response.done", response: { id: `r${i}`, status: "completed", step_audio: extra } }, i);
      if (i % 40 === 39) await drawn();
    }
    const ms = performance.now() - began;
    document.getElementById("welcome").hidden = true;
    list.querySelectorAll("details").forEach((entry) => (entry.open = true));
    scrollTo(0, 0);
    const elements = list.querySelectorAll("*").length;
    const kept = { turns: talk.turns.length, exported: talk.plain().length };
    return { ms, ...kept, entries: list.children.length, elements, letters: list.textContent.length, first: list.firstChild.textContent };
  }

  const parts = { playsWhatCame, waitsBeforeItBegins, shortAnswersSound, clearNeverStrands, holdLosesNothing, anyOrderEnds };
  return { ...parts, frames, resampled, conversation, hoursOfTalk, waits };
})();
