// The drawing: strokes by mouse, pen or finger, or by keys, which can be taken back.

const penWidth = 0.125; // of the drawing's longer side: two or three pixels once the digit is 20 of them high
const usual = 0.6, least = 0.04; // that side, of the sheet: as long as a drawing is being made; and of a dot
const keyStep = 0.04;

// The middle of the strokes and their longer side.
function extent(strokes) {
  const points = strokes.flat(), range = (of) => [Math.min(...points.map(of)), Math.max(...points.map(of))];
  const [left, right] = range(({x}) => x), [top, bottom] = range(({y}) => y);
  return {x: (left + right) / 2, y: (top + bottom) / 2, size: Math.max(right - left, bottom - top, least)};
}

// Draws strokes into the square of that side, smoothly: a quadratic curve from middle to middle of the points.
function paint(context, side, strokes, width) {
  context.lineWidth = width * side;
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
  #pen = {x: 0.5, y: 0.5, down: false}; // that keys move
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
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('focus', () => this.#show());
    canvas.addEventListener('blur', () => {
      this.#lift();
      this.#show();
    });
    this.says = () => {};
    new ResizeObserver(() => this.#show()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#show());
  }

  get empty() { return !this.#picked && this.#strokes.length === 0; }
  get canUndo() { return this.#past.length > 0; }

  clear() {
    this.#pen.down = false;
    if (this.empty) return;
    this.#keep();
    this.#set([], null);
  }
  undo() {
    this.#pen.down = false;
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
    // As large as the sheet, whatever its size: what is made of it has 20 pixels.
    const {x, y, size} = extent(this.#strokes), scale = 0.8 / size;
    const large = this.#strokes.map((points) => points.map((point) =>
      ({x: 0.5 + scale * (point.x - x), y: 0.5 + scale * (point.y - y)})));
    paint(context, side, large, 0.8 * penWidth);
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
    this.#pen.down = false;
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
  // Arrows move the pen, space puts it down and lifts it.
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [dx, dy] = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key] ?? [0, 0];
    const pen = this.#pen, within = (value) => Math.min(0.96, Math.max(0.04, value));
    if (event.key === ' ') {
      event.preventDefault();
      if (pen.down) {
        this.#lift();
      } else {
        pen.down = true;
        this.#keep();
        const fresh = this.#picked || this.clearsOnNewStroke();
        this.#picked = null;
        this.#strokes = [...(fresh ? [] : this.#strokes), [{x: pen.x, y: pen.y}]];
        this.#draw(false);
        this.says('The pen is down.');
      }
    } else if (dx || dy) {
      event.preventDefault();
      pen.x = within(pen.x + keyStep * dx);
      pen.y = within(pen.y + keyStep * dy);
      if (pen.down) this.#strokes.at(-1).push({x: pen.x, y: pen.y});
      if (pen.down) this.#draw(false);
      else this.#show();
    }
  }
  #lift() {
    if (!this.#pen.down) return;
    this.#pen.down = false;
    this.#draw(true);
  }
  #draw(done) {
    this.changed(done);
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  #showPen(context, side) {
    const {x, y, down} = this.#pen;
    context.beginPath();
    context.arc(x * side, y * side, 0.02 * side, 0, 2 * Math.PI);
    context.fillStyle = context.strokeStyle = getComputedStyle(this.canvas).accentColor;
    context.lineWidth = 2 * devicePixelRatio;
    if (down) context.fill();
    context.stroke();
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
    if (!this.#picked) {
      if (this.#strokes.length > 0) {
        const {size} = extent(this.#strokes), drawn = this.#pointer !== null || this.#pen.down;
        paint(context, side, this.#strokes, penWidth * (drawn ? Math.max(size, usual) : size));
      }
      if (this.canvas.matches(':focus-visible')) this.#showPen(context, side);
      return;
    }
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
