"use strict";
// What is painted: the plane or the curve, the units, the weights between them, and the losses.

const $ = id => document.getElementById(id);

// An element with attributes, "on..." for events, and children; texts are only ever texts.
function make(tag, attributes, ...children) {
  const element = ["svg", "polyline", "line", "text"].includes(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  element.append(...children.flat().filter(child => child != null));
  return element;
}

// A number as one reads it; what JSON has no number for comes as a text.
function shown(value, digits = 3) {
  if (typeof value === "string") return value.replace("-Infinity", "−∞").replace("Infinity", "∞");
  if (value == null) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(digits - 1) : size >= 100 ? value.toFixed(0) : value.toPrecision(digits);
  return text.replace("e+", "e").replace(/-/g, "−");
}

function palette() {
  const style = getComputedStyle(document.documentElement);
  const rgb = name => style.getPropertyValue(name).trim().split(" ").map(Number);
  const colour = name => style.getPropertyValue(name).trim();
  return {zero: rgb("--zero"), negative: rgb("--negative"), positive: rgb("--positive"),
    ink: colour("--ink"), muted: colour("--muted"), line: colour("--line"), surface: colour("--surface"),
    for: colour("--for"), against: colour("--against"), bad: colour("--bad")};
}
let colours = palette();

const edge = 3;  // of the plane, to each side of 0

// A part of a picture: rows of numbers.
class Part {
  constructor(numbers, {name, rows, columns, offset}) {
    Object.assign(this, {numbers, name, rows, columns, offset});
  }
  at(row, column) { return this.numbers[this.offset + row * this.columns + column]; }
  // The largest size in a column.
  most(column) {
    let most = 0;
    for (let row = 0; row < this.rows; ++row) {
      const size = Math.abs(this.at(row, column));
      if (size > most && size < Infinity) most = size;
    }
    return most;
  }
}

// Fills a canvas of w x h pixels: value(i) of the i-th, from -1 to 1, from orange to blue. NaN is left out.
function paint(canvas, w, h, value) {
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, {width: w, height: h});
  const context = canvas.getContext("2d"), image = context.createImageData(w, h), {data} = image;
  const {zero, negative, positive} = colours;
  for (let i = 0, k = 0; i < w * h; ++i) {
    const v = value(i);
    if (!(Math.abs(v) < Infinity)) {
      k += 4;
      continue;
    }
    const end = v < 0 ? negative : positive, share = Math.min(1, Math.abs(v));
    data[k++] = zero[0] + (end[0] - zero[0]) * share;
    data[k++] = zero[1] + (end[1] - zero[1]) * share;
    data[k++] = zero[2] + (end[2] - zero[2]) * share;
    data[k++] = 255;
  }
  context.putImageData(image, 0, 0);
}

// A canvas as sharp as the screen: its context, in CSS pixels.
function sharp(canvas) {
  const ratio = Math.min(2, devicePixelRatio || 1), w = canvas.clientWidth, h = canvas.clientHeight;
  const [W, H] = [Math.round(w * ratio), Math.round(h * ratio)];
  if (canvas.width !== W || canvas.height !== H) Object.assign(canvas, {width: W, height: H});
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, w, h);
  return {context, w, h};
}

// The output as a colour: a probability of a logit, else the number itself.
const asShade = loss => (loss === "cross_entropy" ? z => 2 / (1 + Math.exp(-z)) - 1 : z => z);

const small = document.createElement("canvas");

function dot(context, x, y, label, square) {
  context.beginPath();
  if (square) context.rect(x - 3.5, y - 3.5, 7, 7);
  else context.arc(x, y, 4, 0, 7);
  context.fillStyle = label > 0.5 ? colours.for : colours.against;
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = colours.surface;
  context.stroke();
}

function drawPlane(canvas, output, size, loss, sets, mark) {
  const {context, w, h} = sharp(canvas), shade = asShade(loss);
  paint(small, size, size, i => shade(output.at(i, 0)));
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, w, h);
  const x = v => (v + edge) / (2 * edge) * w, y = v => (edge - v) / (2 * edge) * h;
  sets.forEach(({points, labels}, k) => labels.forEach((label, i) =>
    dot(context, x(points[2 * i]), y(points[2 * i + 1]), label, k > 0)));
  if (!mark) return;
  context.strokeStyle = colours.ink;
  context.lineWidth = 2;
  context.strokeRect(x(mark[0]) - 8, y(mark[1]) - 8, 16, 16);
}

function drawCurve(canvas, output, sets) {
  const {context, w, h} = sharp(canvas), n = output.rows;
  const x = v => (v + edge) / (2 * edge) * w, y = v => (2.4 - v) / 4.8 * h;
  context.strokeStyle = colours.line;
  context.beginPath();
  context.moveTo(0, y(0));
  context.lineTo(w, y(0));
  context.moveTo(x(0), 0);
  context.lineTo(x(0), h);
  context.stroke();
  sets.forEach(({points, labels}, k) => labels.forEach((label, i) => dot(context, x(points[2 * i]), y(label), 0, k > 0)));
  context.strokeStyle = colours.for;
  context.lineWidth = 3;
  context.beginPath();
  for (let i = 0; i < n; ++i) {
    const v = output.at(i, 0);
    if (Number.isFinite(v)) context.lineTo((i + 0.5) / n * w, Math.max(-9, Math.min(h + 9, y(v))));
  }
  context.stroke();
}

// Test digits, each with what the network says, and how sure it is.
function drawDigits(canvas, {pixels, labels}, probabilities) {
  const {context, w, h} = sharp(canvas), across = 8, down = Math.ceil(labels.length / across), cell = w / across, high = h / down;
  context.font = `600 ${Math.round(cell * 0.24)}px system-ui, sans-serif`;
  labels.forEach((label, i) => {
    const x = i % across * cell, y = Math.floor(i / across) * high, side = Math.min(cell, high * 0.7) - 6;
    paint(small, 14, 14, k => pixels[196 * i + k]);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, x + 3, y + 3, side, side);
    let best = 0;
    for (let c = 1; c < 10; ++c) if (probabilities.at(i, c) > probabilities.at(i, best)) best = c;
    context.fillStyle = best === label ? colours.ink : colours.bad;
    const p = probabilities.at(i, best);
    context.fillText(Number.isFinite(p) ? `${best} ${Math.round(100 * p)}%` : "?", x + 3, y + high - 5, cell - 6);
  });
}

// ---- the network ----

const network = {}, most = 10;  // units in one column; of larger layers the weights are not drawn

// A column of small pictures for the inputs, each layer, and the output.
function layOut(names) {
  const columns = names.map(({title, units}) => {
    const grid = units.length > most;
    return make("div", {class: `column${grid ? " grid" : ""}`}, make("span", {}, title), units.map(label =>
      make("div", {class: "unit"}, make("canvas", {width: 1, height: 1, role: "img", "aria-label": label, title: label}))));
  });
  network.edges = make("canvas", {id: "edges", "aria-hidden": "true"});
  network.box = make("div", {class: "columns"}, network.edges, columns);
  network.units = columns.map(column => [...column.querySelectorAll(".unit")]);
  $("network").replaceChildren(network.box);
}

function paintUnits(k, part, size, line) {
  network.units[k].forEach((unit, u) => {
    const canvas = unit.firstChild, most = part.most(u) || 1;
    if (!line) return paint(canvas, size, size, i => part.at(i, u) / most);
    // A curve: blue above 0, orange below.
    const high = 40, middle = 20;
    paint(canvas, part.rows, high, i => {
      const v = part.at(i % part.rows, u) / most, y = (middle - Math.floor(i / part.rows) - 0.5) / middle;
      return v > 0 ? (y > 0 && y <= v ? 1 : 0) : (y < 0 && y >= v ? -1 : 0);
    });
  });
}

// Lines between the units of neighbouring columns: weights[l][to * n + from].
function drawEdges(weights) {
  const {context} = sharp(network.edges), box = network.edges.getBoundingClientRect();
  const places = network.units.map(column => column.map(unit => {
    const at = unit.firstChild.getBoundingClientRect();
    return [at.left - box.left, at.right - box.left, (at.top + at.bottom) / 2 - box.top];
  }));
  weights.forEach((w, l) => {
    const from = places[l], to = places[l + 1];
    if (!w || !from || !to || from.length > most || to.length > most) return;
    to.forEach(([left, , y1], j) => from.forEach(([, right, y0], i) => {
      const value = w[j * from.length + i], size = Math.abs(value);
      if (!(size > 0.02)) return;
      context.strokeStyle = value > 0 ? colours.for : colours.against;
      context.globalAlpha = Math.min(0.9, 0.15 + size / 3);
      context.lineWidth = Math.min(5, 0.4 + size * 1.5);
      context.beginPath();
      context.moveTo(right, y0);
      context.bezierCurveTo((right + left) / 2, y0, (right + left) / 2, y1, left, y1);
      context.stroke();
    }));
  });
}

// ---- the losses ----

function drawLosses(history) {
  const svg = $("curves"), finite = history.flatMap(h => [h[1], h[2]]).filter(v => Number.isFinite(v));
  svg.replaceChildren();
  if (finite.length < 2) return svg.setAttribute("aria-label", "Loss by step: no steps yet");
  const high = Math.max(...finite), last = history.at(-1)[0] || 1;
  const x = step => 34 + 320 * step / last, y = v => 132 - 122 * v / (high || 1);
  const line = k => history.filter(h => Number.isFinite(h[k])).map(h => `${x(h[0]).toFixed(1)},${y(h[k]).toFixed(1)}`).join(" ");
  svg.append(
    make("line", {class: "grid", x1: 34, x2: 354, y1: 132, y2: 132}), make("line", {class: "grid", x1: 34, x2: 354, y1: 10, y2: 10}),
    make("text", {x: 30, y: 136, "text-anchor": "end"}, "0"), make("text", {x: 30, y: 14, "text-anchor": "end"}, shown(high, 2)),
    make("text", {x: 354, y: 147, "text-anchor": "end"}, `step ${last}`),
    make("polyline", {class: "line train", points: line(1)}), make("polyline", {class: "line test", points: line(2)}));
  const [, train, test] = history.at(-1);
  svg.setAttribute("aria-label", `Loss by step: at step ${last} ${shown(train)} on the training set, ${shown(test)} on the test set`);
}
