// The drawing: strokes by mouse, pen or finger, which can be taken back.

const penWidth = 0.075; // of the side: two or three pixels once the digit is 20 of them high

// Draws strokes into the square of that side, smoothly: a quadratic curve from middle to middle of the points.
function paint(context, side, strokes) {
  context.lineWidth = penWidth * side;
  context.lineCap = context.lineJoin = 'round';
  for (const points of strokes) {
    const at = (i) => [points[i].x * side, points[i].y * side];
    context.beginPath();
    if (points.length === 1) { // which a line of no length would not show
      context.arc(...at(0), context.lineWidth / 2, 0, 2 * Math.PI);
      context.fill();
      continue;
    }
    context.moveTo(...at(0));
    for (let i = 1; i + 1 < points.length; ++i) {
      const [x, y] = at(i), [u, v] = at(i + 1);
      context.quadraticCurveTo(x, y, (x + u) / 2, (y + v) / 2);
    }
    context.lineTo(...at(points.length - 1));
    context.stroke();
  }
}

export class Drawing {
  // What is drawn: strokes, lists of points {x, y} from 0 to 1; or the pixels of a test image, 0 to 255.
  #strokes = [];
  #picked = null;
  #past = []; // what was drawn before, the latest last
  #pointer = null; // that draws now
  #raster = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  #frame = 0;

  // Calls changed(done) when something else is drawn; done: the pen is lifted.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.clearsOnNewStroke = () => false;
    canvas.addEventListener('pointerdown', (event) => this.#begin(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    for (const name of ['pointerup', 'pointercancel', 'lostpointercapture'])
      canvas.addEventListener(name, (event) => this.#end(event));
    new ResizeObserver(() => this.#show()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#show());
  }

  get empty() { return !this.#picked && this.#strokes.length === 0; }
  get canUndo() { return this.#past.length > 0; }

  clear() {
    if (this.empty) return;
    this.#keep();
    this.#set([], null);
  }
  undo() {
    if (this.#pointer !== null || !this.canUndo) return;
    const before = this.#past.pop();
    this.#set(before.strokes, before.picked);
  }
  // Puts a test image in place of the drawing: its 784 pixels, 0 to 255.
  pick(pixels) {
    this.#keep();
    this.#set([], pixels);
  }

  // What the network is to look at, as the server wants it.
  toRequest() {
    if (this.#picked) return {pixels: this.#picked.map((value) => value / 255)};
    const side = 112, context = this.#raster;
    context.canvas.width = context.canvas.height = side; // which clears it
    context.fillRect(0, 0, side, side);
    context.strokeStyle = context.fillStyle = '#fff';
    paint(context, side, this.#strokes);
    const {data} = context.getImageData(0, 0, side, side);
    return {image: Array.from({length: side * side}, (_, i) => data[4 * i]), width: side, height: side};
  }

  #keep() {
    this.#past.push({strokes: this.#strokes, picked: this.#picked});
    if (this.#past.length > 100) this.#past.shift();
  }
  #set(strokes, picked) {
    this.#strokes = strokes;
    this.#picked = picked;
    this.#show();
    this.changed(true);
  }
  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    return {x: within((event.clientX - box.left) / box.width), y: within((event.clientY - box.top) / box.height)};
  }
  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    event.preventDefault();
    document.activeElement?.blur(); // whoever draws does not write any more: keys are for the drawing
    this.#pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.#keep();
    const fresh = this.#picked || this.clearsOnNewStroke();
    this.#picked = null;
    this.#strokes = [...(fresh ? [] : this.#strokes), [this.#point(event)]];
    this.#draw(false);
  }
  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const stroke = this.#strokes.at(-1);
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length > 0 ? events : [event]) {
      const point = this.#point(one), last = stroke.at(-1);
      if (Math.hypot(point.x - last.x, point.y - last.y) > 0.002) stroke.push(point);
    }
    this.#draw(false);
  }
  #end(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#draw(true);
  }
  #draw(done) {
    this.changed(done);
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  #show() {
    this.#frame = 0;
    const side = Math.round(this.canvas.clientWidth * devicePixelRatio);
    if (side === 0) return;
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const context = this.canvas.getContext('2d');
    context.clearRect(0, 0, side, side);
    const ink = getComputedStyle(this.canvas).color;
    context.strokeStyle = context.fillStyle = ink;
    if (!this.#picked) return paint(context, side, this.#strokes);
    const step = side / 28;
    this.#picked.forEach((value, i) => {
      context.globalAlpha = value / 255;
      const edge = (k) => Math.round(k * step);  // where the next cell begins: they neither overlap nor leave gaps
      const column = i % 28, row = Math.floor(i / 28), x = edge(column), y = edge(row);
      context.fillRect(x, y, edge(column + 1) - x, edge(row + 1) - y);
    });
    context.globalAlpha = 1;
  }
}
