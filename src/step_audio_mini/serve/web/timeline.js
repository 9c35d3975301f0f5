// Twelve seconds of the call as a picture: you above the line, the assistant below, and where turns begin, end and break.

const SECONDS = 12;
const BAR = 3;
const STEP = 5; // pixels a bar with its gap
const MOST = 1000; // bars and marks remembered
const FLOOR_DB = -55;
// Milliseconds a picture: thirty a second are smooth enough and spare a phone; four where motion is not wanted.
const FRAME = matchMedia("(prefers-reduced-motion: reduce)").matches ? 250 : 30;

export class Timeline {
  #canvas;
  #bars = []; // {at, you, it}: loudest of a bar's time, 0 to 1
  #marks = []; // {kind, at}
  #running = false;
  #drawing; // told before each picture
  #colours = null;
  #drawn = 0;
  #width = 1;
  #queued = false; // a frame is asked for

  constructor(canvas, drawing) {
    this.#canvas = canvas;
    this.#drawing = drawing;
    new ResizeObserver(() => this.#fit()).observe(canvas);
    this.recolour();
  }

  /** The theme changed. */
  recolour() {
    const style = getComputedStyle(this.#canvas);
    const named = (name) => style.getPropertyValue(name).trim();
    this.#colours = { you: named("--you"), it: named("--it"), line: named("--line"), cut: named("--cut"), ink: named("--faint") };
    this.#ask();
  }

  run(on) {
    this.#running = on;
    this.#ask();
  }

  add({ you = 0, it = 0 }) {
    const at = Math.floor(performance.now() / this.#span) * this.#span;
    let bar = this.#bars.at(-1);
    if (bar?.at !== at) this.#bars.push((bar = { at, you: 0, it: 0 }));
    if (this.#bars.length > MOST) this.#bars.shift(); // a hidden page draws nothing and drops nothing
    bar.you = Math.max(bar.you, height(you));
    bar.it = Math.max(bar.it, height(it));
  }

  mark(kind, at) {
    this.#marks.push({ kind, at });
    if (this.#marks.length > MOST) this.#marks.shift();
    this.#ask();
  }

  /** Milliseconds a bar stands for. */
  get #span() {
    return (1000 * SECONDS * STEP) / this.#width;
  }

  #fit() {
    this.#width = Math.max(1, this.#canvas.clientWidth);
    const scale = window.devicePixelRatio || 1;
    this.#canvas.width = Math.round(this.#canvas.clientWidth * scale);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * scale);
    this.#ask();
  }

  #ask() {
    if (this.#queued) return;
    this.#queued = true;
    requestAnimationFrame((at) => {
      this.#queued = false;
      if (at - this.#drawn >= FRAME || !this.#running) {
        this.#drawn = at;
        this.#drawing();
        this.#draw();
      }
      if (this.#running) this.#ask();
    });
  }

  #draw() {
    const width = this.#width;
    const tall = this.#canvas.clientHeight;
    const pen = this.#canvas.getContext("2d");
    const scale = window.devicePixelRatio || 1;
    const now = performance.now();
    const since = now - 1000 * SECONDS;
    this.#bars = this.#bars.filter((bar) => bar.at > since - 100);
    this.#marks = this.#marks.filter((mark) => mark.at > since);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, tall);
    const where = (at) => ((at - since) / (1000 * SECONDS)) * width;
    const middle = Math.round(tall / 2);
    pen.fillStyle = this.#colours.line;
    pen.fillRect(0, middle, width, 1);
    for (const { at, you, it } of this.#bars) {
      const x = where(at);
      const room = middle - 3;
      if (you > 0.01) bar(pen, x, middle - 1, -Math.max(2, you * room), this.#colours.you);
      if (it > 0.01) bar(pen, x, middle + 2, Math.max(2, it * room), this.#colours.it);
    }
    for (const mark of this.#marks) this.#sign(pen, where(mark.at), middle, tall, mark.kind);
  }

  #sign(pen, x, middle, tall, kind) {
    const colour = { speech: this.#colours.you, end: this.#colours.you, answer: this.#colours.it, cut: this.#colours.cut }[kind];
    const yours = kind === "speech" || kind === "end";
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 1.5;
    pen.beginPath();
    if (kind === "cut") {
      pen.moveTo(x, 0);
      pen.lineTo(x, tall);
      pen.moveTo(x - 4, tall - 11);
      pen.lineTo(x + 4, tall - 3);
      pen.moveTo(x + 4, tall - 11);
      pen.lineTo(x - 4, tall - 3);
      pen.stroke();
      return;
    }
    const [from, to] = yours ? [2, middle] : [middle, tall - 2];
    pen.moveTo(x, from);
    pen.lineTo(x, to);
    pen.stroke();
    pen.beginPath(); // a flag to the right where something begins, to the left where it ends
    const side = kind === "end" ? -6 : 6;
    const top = yours ? from : to - 6;
    pen.moveTo(x, top);
    pen.lineTo(x + side, top + 3);
    pen.lineTo(x, top + 6);
    pen.fill();
  }
}

function bar(pen, x, y, tall, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(x, Math.min(y, y + tall), BAR, Math.abs(tall), BAR / 2);
  pen.fill();
}

/** 0 to 1 of the level (root mean square within ±1) on a scale of decibels. */
export function height(level) {
  if (level <= 0) return 0;
  return Math.max(0, Math.min(1, 1 - (20 * Math.log10(level)) / FLOOR_DB));
}
