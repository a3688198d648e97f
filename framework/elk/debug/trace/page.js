"use strict";
// Shows the trace that the page carries: a place on the tape, and everything as it is known there. No libraries,
// no network.

const trace = JSON.parse(document.getElementById("trace").textContent);
const $ = id => document.getElementById(id);

// ---- small helpers ----

// An element: attributes as they are written in HTML, "on..." for events; texts are only ever texts.
function make(tag, attributes, ...children) {
  const svg = ["svg", "g", "rect", "text", "path", "polyline", "line", "title"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  element.append(...children.flat().filter(child => child != null && child !== false));
  return element;
}

function text(value, digits = 4) {
  if (typeof value === "string") return value.replace("-Infinity", "−∞").replace("Infinity", "∞");
  if (value == null) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  let shown = size >= 1e6 || size < 1e-3 ? value.toExponential(digits - 1) : value.toPrecision(digits);
  shown = shown.replace(/(\.\d*?)0+(e|$)/, "$1$2").replace(/\.(e|$)/, "$1").replace("e+", "e");
  return shown.replace(/-/g, "−");
}

const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const shapeText = shape => `(${shape.join(", ")})`;
const count = shape => shape.reduce((a, b) => a * b, 1);
const sum = list => list.reduce((a, b) => a + b, 0);

// A number, or the shape of more of them.
const brief = tensor => (count(tensor.shape) === 1 ? `= ${text(tensor.values[0])}` : shapeText(tensor.shape));

// Where in a shape an element of the row-major order is.
function place(element, shape) {
  const at = [];
  for (let axis = shape.length - 1; axis >= 0; --axis) {
    at.unshift(element % shape[axis]);
    element = Math.floor(element / shape[axis]);
  }
  return `[${at.join(", ")}]`;
}

// ---- what the data say ----

// A step with what the page asks of it: its frames, and at which frame each entry gets what.
function prepared(step) {
  if (step.frames) return step;
  const {entries} = step;
  step.operations = entries.map((e, i) => i).filter(i => entries[i].kind === "operation");
  const back = step.backward.filter(i => entries[i].kind === "operation");
  step.frames = [{pass: "start"}, ...step.operations.map(entry => ({pass: "forward", entry}))];
  if (back.length) step.frames.push(...back.map(entry => ({pass: "backward", entry})), {pass: "end"});
  step.forwardAt = entries.map(() => 0);
  step.backwardAt = entries.map(() => Infinity);
  step.frames.forEach((frame, k) => {
    if (frame.pass === "forward") step.forwardAt[frame.entry] = k;
    if (frame.pass === "backward") step.backwardAt[frame.entry] = k;
  });
  // Who takes an entry, and when what it gets back has arrived in full.
  step.users = entries.map(() => []);
  step.gradedAt = entries.map((e, i) => (i === step.backward[0] ? step.backwardAt[i] : Infinity));
  entries.forEach((e, i) => (e.inputs || []).forEach((from, k) => {
    const flows = Boolean(e.flow && e.flow[k]);
    step.users[from].push({entry: i, input: k, flows});
    if (!flows) return;
    const latest = step.gradedAt[from] === Infinity ? 0 : step.gradedAt[from];
    step.gradedAt[from] = Math.max(latest, step.backwardAt[i]);
  }));
  step.seed = step.backward.length ? step.backward[0] : -1;
  return step;
}

function operationText(entry) {
  return trace.operations[entry.operation] || {
    formula: "", words: "An operation of the program's own.", rules: [],
    rule_words: "Its rules are the program's own, too."
  };
}

const ruleOf = (entry, k) => {
  const {rules} = operationText(entry);
  return rules[Math.min(k, rules.length - 1)] || "";
};

// What the formulas call an input.
function symbol(entry, k) {
  const found = k < operationText(entry).rules.length && /^d(\S+) =/.exec(ruleOf(entry, k));
  return found ? found[1] : entry.inputs.length > 1 ? `input ${k + 1}` : "input";
}

const kinds = {
  parameter: ["parameter", "A parameter: what is trained. Nothing was computed to get it, so backward ends here."],
  watched: ["watched input", "The program asked for its gradient: tape.watch."],
  constant: ["constant", "A constant: nobody asked for its gradient, so none is computed."],
  earlier: ["earlier result", "A result from before the trace began."]
};

function nameOf(step, i) {
  const entry = step.entries[i];
  if (entry.name) return entry.name;
  if (entry.kind === "operation") return entry.operation;
  if (entry.kind === "constant" && count(entry.value.shape) === 1) return text(entry.value.values[0]);
  return kinds[entry.kind][0];
}

function groupName(graph, g) {
  const {name, kind, call} = graph.groups[g];
  return (name || kind) + (call > 1 ? ` (call ${call})` : "");
}

function whereOf(step, i) {
  const {group} = step.entries[i];
  return group < 0 ? "" : ` in ${groupName(trace.graphs[step.graph], group)}`;
}

const strange = tensor => Boolean(tensor && (tensor.nan || tensor.infinite));

// ---- where the reader is ----

const state = {step: 0, frame: 0, chosen: null, folded: new Map(), zoom: 0, images: true, timer: null};
const step = () => prepared(trace.steps[state.step]);
const frame = () => step().frames[state.frame];
const isBackward = () => frame().pass === "backward" || frame().pass === "end";
const shownEntry = () => (state.chosen != null ? state.chosen : frame().entry);

function go(to) {
  state.frame = Math.max(0, Math.min(step().frames.length - 1, to));
  state.chosen = null;
  render();
}

function choose(entry) {
  state.chosen = entry === frame().entry ? null : entry;
  render();
  $("inspector").scrollTop = 0;
}

function goStep(to) {
  state.step = Math.max(0, Math.min(trace.steps.length - 1, to));
  state.frame = Math.min(state.frame, step().frames.length - 1);
  if (state.chosen >= step().entries.length) state.chosen = null;
  render();
}

function play(on) {
  clearInterval(state.timer);
  state.timer = null;
  if (on) {
    if (state.frame === step().frames.length - 1) go(0);
    state.timer = setInterval(() => {
      if (state.frame === step().frames.length - 1) return play(false);
      go(state.frame + 1);
    }, 1100);
  }
  document.body.classList.toggle("playing", on);
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
}

// ---- tensors ----

// Of the scheme, light or dark, that is on.
function palette() {
  const style = getComputedStyle(document.documentElement);
  const rgb = name => style.getPropertyValue(name).trim().split(" ").map(Number);
  return {zero: rgb("--zero"), negative: rgb("--negative"), positive: rgb("--positive")};
}
let colours = palette();

function colour(value, most) {
  if (!Number.isFinite(value)) return null;
  const share = most > 0 ? Math.min(1, Math.abs(value) / most) : 0, end = value < 0 ? colours.negative : colours.positive;
  return colours.zero.map((z, c) => Math.round(z + (end[c] - z) * share));
}

// Black or white, whichever can be read better on a colour. (WCAG 2, relative luminance.)
function ink(rgb) {
  const [r, g, b] = rgb.map(v => (v <= 10 ? v / 3294 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

// A tensor as a matrix of its last axis: what of it is there.
function matrix(t) {
  const width = t.shape.length ? t.shape[t.shape.length - 1] : 1;
  const columns = t.columns || [...Array(width).keys()];
  const rows = t.rows || [...Array(width ? count(t.shape) / width : 0).keys()];
  return {width, rows, columns};
}

function statistics(t) {
  const facts = [], n = count(t.shape);
  if (t.zeros === n) return "all zero";
  if (t.min != null) facts.push(`${text(t.min)} to ${text(t.max)}`, `mean ${text(t.mean)}`, `deviation ${text(t.deviation)}`, `norm ${text(t.norm)}`);
  if (t.zeros) facts.push(`${text(100 * t.zeros / n, 3)}% zeros`);
  if (t.nan) facts.push(`${t.nan} NaN`);
  if (t.infinite) facts.push(`${t.infinite} infinite`);
  return facts.join(" · ");
}

function tensorView(label, t, small = false) {
  const n = count(t.shape), kind = `${t.dtype} ${t.shape.length ? shapeText(t.shape) : "a number"}`;
  const caption = make("figcaption", {}, label && make("b", {}, label), make("span", {}, kind));
  const figure = make("figure", {class: "tensor", "data-tensor": label}, caption);
  if (n === 0) return figure.append(make("p", {class: "note"}, "It has no elements.")), figure;
  if (n === 1) {
    figure.append(make("div", {class: "number", "data-value": t.values[0]}, text(t.values[0], 6)));
    return figure;
  }
  const most = Math.max(Math.abs(t.min || 0), Math.abs(t.max || 0));
  const width = t.shape[t.shape.length - 1], across = t.shape.length === 1 && n <= 16 ? Math.min(width, 8) : width;
  if (!t.rows && across <= 8 && n <= (small ? 16 : 96)) {
    const cell = (value, i) => {
      const shade = colour(Number(value), most);
      return make("td", {
        "data-value": value, title: `${place(i, t.shape)} = ${value}`, class: shade ? null : "strange",
        style: shade && `background: rgb(${shade}); color: ${ink(shade)}`
      }, text(value, across > 6 ? 3 : 4));
    };
    const cells = t.values.map(cell), rows = [];
    while (cells.length) rows.push(make("tr", {}, cells.splice(0, across)));
    figure.append(make("div", {class: "numbers", role: "group", "aria-label": `${label || "tensor"} ${kind}`}, make("table", {"aria-label": `${label} ${kind}`}, make("tbody", {}, rows))));
  } else {
    figure.append(...heatMap(label, t, most, small, caption));
  }
  if (!small) figure.append(make("p", {class: "readout"}, statistics(t)));
  return figure;
}

function heatMap(label, t, most, small, caption) {
  const {width, rows, columns} = matrix(t);
  const side = Math.round(Math.sqrt(width));
  const canBeImages = columns.length === width && width >= 256 && side * side === width;
  const asImages = canBeImages && state.images;
  let across, w, h, at;  // how many cells, and which value is where
  if (asImages) {
    across = Math.min(rows.length, 5);
    w = across * (side + 1) - 1;
    h = Math.ceil(rows.length / across) * (side + 1) - 1;
    at = (x, y) => {
      const column = Math.floor(x / (side + 1)), r = Math.floor(y / (side + 1)) * across + column;
      const px = x % (side + 1), py = y % (side + 1);
      return px < side && py < side && r < rows.length ? r * columns.length + py * side + px : -1;
    };
  } else {
    w = columns.length;
    h = rows.length;
    at = (x, y) => y * columns.length + x;
  }
  const canvas = make("canvas", {
    class: "heat", width: w, height: h, role: "img", "aria-label": `${label} as a heat map: ${statistics(t)}`
  });
  const context = canvas.getContext("2d"), image = context.createImageData(w, h);
  for (let y = 0; y < h; ++y)
    for (let x = 0; x < w; ++x) {
      const i = at(x, y);
      if (i < 0) continue;
      image.data.set([...(colour(Number(t.values[i]), most) || [220, 0, 120]), 255], 4 * (y * w + x));
    }
  context.putImageData(image, 0, 0);
  const cell = asImages ? (small ? 1.5 : 3) : Math.min(small ? 12 : 22, Math.max(1, (small ? 260 : 520) / w));
  const most_high = small ? 110 : 300;
  canvas.style.width = `${Math.round(w * cell)}px`;
  if (asImages) canvas.style.height = "auto";
  else canvas.style.height = `${Math.max(small ? 12 : 22, Math.min(most_high, Math.round(h * cell)))}px`;

  const readout = make("span", {class: "readout"});
  const point = event => {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * w), y = Math.floor((event.clientY - box.top) / box.height * h);
    const i = x >= 0 && y >= 0 && x < w && y < h ? at(x, y) : -1;
    if (i < 0) return;
    const element = rows[Math.floor(i / columns.length)] * width + columns[i % columns.length];
    readout.textContent = `${place(element, t.shape)} = ${text(t.values[i], 6)}`;
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  if (t.rows) {
    const parts = [];
    if (rows.length < count(t.shape) / width) parts.push(`${rows.length} of ${count(t.shape) / width} rows`);
    if (columns.length < width) parts.push(`${columns.length} of ${width} columns`);
    caption.append(make("span", {}, parts.join(", ")));
  }
  if (canBeImages && !small)
    caption.append(make("button", {onclick: () => { state.images = !state.images; render(); }},
      asImages ? "as a matrix" : `rows as ${side} × ${side} images`));
  return small ? [canvas] : [canvas, make("div", {class: "scale"}, most > 0 && [`−${text(most, 3)}`, make("i"), text(most, 3)], readout)];
}

// ---- the inspector ----

const link = (s, i) => make("button", {class: "link", onclick: () => choose(i)}, nameOf(s, i));

function inspect() {
  const s = step(), i = shownEntry();
  const parts = i == null ? (frame().pass === "start" ? start(s) : end(s))
    : s.entries[i].kind === "operation" ? operation(s, i) : leaf(s, i);
  $("inspector").replaceChildren(...parts.filter(Boolean));
  for (const numbers of $("inspector").querySelectorAll(".numbers"))
    if (numbers.scrollWidth > numbers.clientWidth) numbers.tabIndex = 0;  // to be scrolled by keys
}

function start(s) {
  const leaves = s.entries.filter(e => e.kind === "parameter");
  const numbers = sum(leaves.map(e => count(e.value.shape)));
  return [
    make("h2", {}, trace.steps.length > 1 ? `The tape of ${s.label}` : "A tape, entry by entry"),
    make("p", {class: "where"}, s.loss != null && `loss ${text(s.loss)}`),
    make("p", {class: "words"}, `While a tape lives, every operation on a parameter appends an entry to it: here ${plural(s.operations.length, "operation")} on ${plural(leaves.length, "parameter")}` +
      ` of ${plural(numbers, "number")}. Going forward, each entry's value is computed from those of its inputs.`),
    make("p", {class: "words", style: "margin-top: 10px"}, s.backward.length
      ? "Then backward walks the same list from its end. Each entry has the gradient of the loss with respect to its value by then, and hands it on to its inputs by a rule that needs to know nothing but this one operation."
      : "Backward did not run on this tape: there are no gradients."),
    s.left_out && make("p", {class: "warning"}, `The tape is longer than what is shown: ${plural(s.left_out, "operation")} more.`),
    make("h3", {}, "Keys"),
    make("dl", {class: "facts"},
      make("dt", {}, "← →"), make("dd", {}, "one entry back, on"),
      make("dt", {}, "Home End"), make("dd", {}, "to the start, to the end"),
      make("dt", {}, "space"), make("dd", {}, "play, pause"),
      trace.steps.length > 1 && [make("dt", {}, "[ ]"), make("dd", {}, "training step before, after")]),
    make("p", {class: "note", style: "margin-top: 14px"}, "Click an entry of the graph to look at it without leaving your place.")
  ];
}

function end(s) {
  return [
    make("h2", {}, "Every parameter has its gradient"),
    make("p", {class: "where"}, s.loss != null && `loss ${text(s.loss)}`),
    make("p", {class: "words"}, "This is what backward returns: for each parameter, by how much the loss changes with it. An optimizer moves each of them a little against its gradient, and the loss goes down."),
    make("h3", {}, "Parameters"), parameterTable(s), checkNote(s)
  ];
}

function title(s, i) {
  const f = frame(), current = state.chosen == null;
  const passes = {forward: s.operations.length, backward: s.frames.length - s.operations.length - 2};
  const number = f.pass === "forward" ? state.frame : state.frame - s.operations.length;
  return [
    current && make("span", {class: "pass"}, `${f.pass} ${number} of ${passes[f.pass]}`),
    make("h2", {}, nameOf(s, i)),
    make("p", {class: "where"}, [s.entries[i].name && s.entries[i].kind === "operation" && `${s.entries[i].operation}, `,
      `entry ${i + 1} of ${s.entries.length}${whereOf(s, i)}`].filter(Boolean).join(""))
  ];
}

// Of a NaN or an infinity: where it comes from is where it was first, in the order of computation.
function warn(s, i) {
  const entry = s.entries[i], graded = strange(entry.gradient) && state.frame >= s.gradedAt[i];
  if (!(strange(entry.value) && state.frame >= s.forwardAt[i]) && !graded) return null;
  let first = s.entries.findIndex(e => strange(e.value));
  if (first < 0) first = s.backward.find(k => strange(s.entries[k].gradient));
  const what = [strange(entry.value) && "value", graded && "gradient"].filter(Boolean).join(" and ");
  return make("p", {class: "warning"}, `There are numbers in its ${what} that are not finite. `,
    first === i ? "It is the first on the tape to have such." : ["The first on the tape to have such is ", link(s, first), whereOf(s, first), "."]);
}

function operation(s, i) {
  const entry = s.entries[i], words = operationText(entry);
  const goingBack = isBackward() && state.frame >= s.backwardAt[i];
  const parts = title(s, i);
  parts.push(warn(s, i));
  if (goingBack) parts.push(...backwardPart(s, i, words));
  parts.push(goingBack && make("h3", {}, "Forward"));
  parts.push(words.formula && make("p", {class: "formula"}, words.formula), make("p", {class: "words"}, words.words));
  if (state.frame < s.forwardAt[i]) {
    parts.push(make("h3", {}, "Value"), make("p", {class: "note"}, "Not yet computed at this place."));
    return parts.filter(Boolean);
  }
  parts.push(make("h3", {}, entry.inputs.length > 1 ? "Inputs" : "Input"), make("ul", {class: "plain"}, entry.inputs.map((from, k) =>
    make("li", {}, `${symbol(entry, k)} is `, link(s, from), make("span", {class: "note"}, ` ${brief(s.entries[from].value)}`)))));
  parts.push(make("h3", {}, "Value"), tensorView("y", entry.value));
  if (!goingBack && isBackward()) parts.push(...gradientPart(s, i));
  return parts.filter(Boolean);
}

function backwardPart(s, i, words) {
  const entry = s.entries[i];
  const parts = [make("h3", {}, "Gradient of the loss with respect to y"), tensorView("dy", entry.gradient)];
  if (i === s.seed)
    parts.push(make("p", {class: "note"}, "Backward begins here: " +
      (count(entry.value.shape) === 1 ? "the gradient of the loss with respect to itself is 1." : "this gradient was given to it.")));
  else parts.push(arrivals(s, i));
  parts.push(make("h3", {}, "What its inputs get"));
  if (words.rule_words) parts.push(make("p", {class: "words", style: "margin-bottom: 10px"}, words.rule_words));
  const tracked = entry.inputs.filter((from, k) => entry.flow[k]).length;
  parts.push(make("ul", {class: "plain"}, entry.inputs.map((from, k) => {
    const flow = entry.flow[k], name = symbol(entry, k);
    const line = make("div", {class: "line"}, make("span", {}, `${name} is `, link(s, from)));
    if (!flow) {
      line.append(make("span", {}, "a constant: no gradient is computed"));
      return make("li", {class: "flow"}, line);
    }
    line.append(make("span", {"data-norm": flow.norm}, `norm ${text(flow.norm)}`));
    if (tracked > 1) line.append(make("span", {"data-share": flow.share}, `${text(100 * flow.share, 3)}% of what flows on`));
    const dx = flow.dx || s.entries[from].gradient;
    return make("li", {class: "flow"},
      make("p", {class: "formula"}, ruleOf(entry, k) || `d ${name}`),
      line,
      tracked > 1 && make("span", {class: "bar"}, make("i", {style: `width: ${100 * flow.share}%`})),
      dx && tensorView("", dx, true));
  })));
  return parts;
}

// From where the gradient of an entry came: it is the sum over all who took the entry.
function arrivals(s, i) {
  const users = s.users[i].filter(u => u.flows);
  if (users.length < 2) return null;
  return make("p", {class: "note"}, `It is the sum of what ${users.length} uses gave back: `, users.flatMap((u, k) => [
    k ? ", " : "", link(s, u.entry), ` (norm ${text(s.entries[u.entry].flow[u.input].norm)})`]), ".");
}

function gradientPart(s, i) {
  const entry = s.entries[i], parts = [make("h3", {}, "Gradient of the loss")];
  if (entry.kind === "constant") return [];
  if (!entry.gradient) parts.push(make("p", {class: "note"}, s.backward.length ? "None: the loss does not depend on it." : "Backward did not run."));
  else if (state.frame < s.gradedAt[i]) {
    const uses = s.users[i].filter(u => u.flows), there = uses.filter(u => state.frame >= s.backwardAt[u.entry]).length;
    parts.push(make("p", {class: "note"}, there ? `Not complete at this place: ${there} of its ${uses.length} uses have given theirs back.` : "Not yet there at this place."));
  } else parts.push(tensorView("gradient", entry.gradient), arrivals(s, i));
  return parts;
}

function leaf(s, i) {
  const entry = s.entries[i], [kind, words] = kinds[entry.kind];
  const parts = [...title(s, i), warn(s, i), make("p", {class: "words"}, words)];
  if (entry.name === "") parts.push(entry.kind === "parameter" && make("p", {class: "note"}, "It is not a parameter of the network that was given to write()."));
  parts.push(make("h3", {}, "Taken by"), make("ul", {class: "plain"}, s.users[i].map(u => make("li", {}, link(s, u.entry), make("span", {class: "note"}, whereOf(s, u.entry))))));
  parts.push(make("h3", {}, "Value"), tensorView("value", entry.value));
  parts.push(...gradientPart(s, i));
  if (entry.kind === "parameter" && entry.gradient && state.frame >= s.gradedAt[i]) parts.push(...checkPart(s, entry));
  return parts.filter(Boolean);
}

// ---- finite differences ----

function verdict(s, entry) {
  if (!entry.check || !s.check.same_loss) return make("span", {class: "note"}, "–");
  const wrong = entry.check.filter(c => !c.ok), atCorner = wrong.filter(c => c.corner);
  if (wrong.length > atCorner.length) return make("span", {class: "wrong"}, "✗ differs");
  if (wrong.length) return make("span", {class: "note"}, "at a corner");
  const worst = Math.max(...entry.check.map(c => (typeof c.error === "number" ? c.error : 0)));
  const digits = worst > 0 ? Math.max(1, Math.min(12, Math.floor(-Math.log10(worst)))) : 12;
  return make("span", {class: "good"}, worst > 0 ? `✓ to ${plural(digits, "digit")}` : "✓ exactly");
}

function checkNote(s) {
  if (!s.backward.length) return null;
  if (!s.check)
    return make("p", {class: "note", style: "margin-top: 12px"}, "No gradient of this step was checked against finite differences: the program did not call trace.check.");
  if (!s.check.same_loss)
    return make("p", {class: "warning"}, `The check computed the loss again and got ${text(s.check.loss, 6)} where the tape has ${text(s.loss, 6)}: ` +
      "it is of another function, and tells nothing about these gradients. Was it another batch, or is there dropout, which the check leaves out?");
  return make("p", {class: "note", style: "margin-top: 12px"}, `Checked: the loss with an element of the parameter a little larger, and a little smaller, computed in ${s.check.dtype}; ` +
    "the difference over the distance is the slope that the gradient claims.");
}

function checkPart(s, entry) {
  const parts = [make("h3", {}, "Checked against finite differences")];
  if (entry.check && s.check.same_loss) {
    parts.push(make("table", {class: "list"}, make("thead", {}, make("tr", {}, ["element", "by the tape", "by difference", "agree"].map((label, k) =>
      make("th", {class: k === 1 || k === 2 ? "right" : null, scope: "col"}, label)))), make("tbody", {}, entry.check.map(c => make("tr", {},
      make("td", {}, place(c.element, entry.value.shape)),
      make("td", {class: "right", "data-value": c.tape}, text(c.tape, 6)), make("td", {class: "right", "data-value": c.difference}, text(c.difference, 6)),
      make("td", {}, c.ok ? make("span", {class: "good"}, "✓") : c.corner ? make("span", {class: "note"}, "corner") : make("span", {class: "wrong"}, "✗")))))));
    if (entry.check.some(c => c.corner && !c.ok))
      parts.push(make("p", {class: "note"}, "At a corner, such as that of relu at 0, the slopes to both sides differ. The difference is between them, the tape takes one."));
  }
  parts.push(checkNote(s));
  return parts;
}

// ---- the lists ----

// Lengths of bars for norms: by their logarithms, over four decades.
function size(norm, most) {
  const share = norm > 0 && most > 0 ? Math.max(0.03, 1 + Math.log10(norm / most) / 4) : 0;
  return make("span", {class: "size", title: "norm, on a logarithmic scale"}, make("i", {style: `width: ${100 * share}%`}));
}

const finiteNorm = entry => (entry.gradient ? entry.gradient.norm : 0);

// The list of the tape is made once for a step: it may be long. `mark` sets it to the place that is shown.
function tapeTable(s) {
  const most = Math.max(0, ...s.operations.map(i => finiteNorm(s.entries[i])));
  const head = ["#", "operation", "module", "shape", "gradient (norm)"];
  const rows = s.operations.map((i, k) => {
    const entry = s.entries[i];
    const button = make("button", {onclick: () => go(isBackward() && s.backwardAt[i] < Infinity ? s.backwardAt[i] : s.forwardAt[i])}, nameOf(s, i));
    const gradient = make("td", {class: "right"}, entry.gradient ? [text(entry.gradient.norm, 3), size(entry.gradient.norm, most)] : "");
    return {i, button, gradient, row: make("tr", {},
      make("td", {class: "right"}, String(k + 1)),
      make("td", {}, button, (strange(entry.value) || strange(entry.gradient)) && make("span", {class: "wrong"}, " not finite")),
      make("td", {}, whereOf(s, i).replace(" in ", "")),
      make("td", {class: "shape"}, shapeText(entry.value.shape)),
      gradient)};
  });
  const mark = () => rows.forEach(({i, button, gradient, row}) => {
    const now = frame().entry === i;
    row.className = now ? "now" : state.frame < s.forwardAt[i] ? "future" : "";
    if (now) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
    gradient.style.visibility = state.frame >= s.gradedAt[i] ? "" : "hidden";
  });
  return {mark, table: make("table", {class: "list"}, make("thead", {}, make("tr", {}, head.map(label => make("th", {scope: "col"}, label)))),
    make("tbody", {}, rows.map(({row}) => row)))};
}

function parameterTable(s) {
  const list = s.entries.map((e, i) => i).filter(i => s.entries[i].kind === "parameter" || s.entries[i].kind === "watched");
  if (!list.length) return make("p", {class: "note"}, "There are none on this tape.");
  const most = Math.max(0, ...list.map(i => finiteNorm(s.entries[i])));
  return make("table", {class: "list"}, make("thead", {}, make("tr", {}, ["name", "shape", "gradient (norm)", "difference"].map(label => make("th", {scope: "col"}, label)))),
    make("tbody", {}, list.map(i => {
      const entry = s.entries[i], there = state.frame >= s.gradedAt[i] && entry.gradient;
      return make("tr", {class: there ? null : "future"},
        make("td", {}, make("button", {onclick: () => choose(i)}, nameOf(s, i))),
        make("td", {class: "shape"}, shapeText(entry.value.shape)),
        make("td", {class: "right"}, there ? [text(entry.gradient.norm, 3), size(entry.gradient.norm, most)] : entry.gradient ? "not yet" : "none"),
        make("td", {}, there ? verdict(s, entry) : ""));
    })));
}

// ---- the graph ----

// Which parts of a graph are to be seen, and where: groups may be folded into a box, and the space that they
// leave is taken away. What was apart stays apart: both axes are only ever mapped in order.
function arrangement(graph, folded) {
  const hiddenIn = g => {  // the outermost folded group around g, or g itself if it is folded
    let found = -1;
    for (; g >= 0; g = graph.groups[g].parent) if (folded.has(g)) found = g;
    return found;
  };
  const nodes = [], groups = [], boxes = [];
  graph.groups.forEach((group, g) => {
    const inside = hiddenIn(g);
    if (inside < 0) groups.push(g);
    else if (inside === g) boxes.push(g);
  });
  graph.nodes.forEach((node, i) => { if (hiddenIn(node.group) < 0) nodes.push(i); });
  const foldedBox = g => {
    const [x, y, w, h] = graph.groups[g].box, width = Math.min(w, 190), height = Math.min(h, 44);
    return [x + (w - width) / 2, y + (h - height) / 2, width, height];
  };
  const taken = [[], []];
  const take = (x, y, w, h) => { taken[0].push([x, x + w]); taken[1].push([y, y + h]); };
  nodes.forEach(i => take(...graph.nodes[i].box));
  boxes.forEach(g => take(...foldedBox(g)));
  groups.forEach(g => {
    const [x, y, w, h] = graph.groups[g].box;
    take(x, y, 8, 24);
    take(x + w - 8, y + h - 8, 8, 8);
  });
  const shrink = taken.map((list, axis) => {
    const gap = axis ? 40 : 64, steps = [];  // from where on how much is taken away
    list.sort((a, b) => a[0] - b[0]);
    let away = 0, until = 0;
    for (const [from, to] of list) {
      if (from - until > gap) {
        away += from - until - gap;
        steps.push([until, from, away]);
      }
      until = Math.max(until, to);
    }
    return v => {
      let shift = 0;
      for (const [begin, finish, total] of steps) {
        if (v >= finish) shift = total;
        else if (v > begin) return v - shift - (v - begin) / (finish - begin) * (total - shift);
      }
      return v - shift;
    };
  });
  const map = ([x, y, w, h]) => [shrink[0](x), shrink[1](y), shrink[0](x + w) - shrink[0](x), shrink[1](y + h) - shrink[1](y)];
  const result = {
    width: shrink[0](graph.width), height: shrink[1](graph.height),
    nodes: new Map(nodes.map(i => [i, map(graph.nodes[i].box)])),
    boxes: new Map(boxes.map(g => [g, map(foldedBox(g))])),
    groups: new Map(groups.map(g => [g, map(graph.groups[g].box)])),
    edges: []
  };
  const within = (px, py, [x, y, w, h]) => px >= x && px <= x + w && py >= y && py <= y + h;
  const seen = new Set();
  const endOf = i => {
    const g = hiddenIn(graph.nodes[i].group);
    return g < 0 ? {key: `n${i}`, box: result.nodes.get(i)} : {key: `g${g}`, box: result.boxes.get(g), folded: true, group: g};
  };
  graph.edges.forEach((edge, e) => {
    const a = endOf(edge.from), b = endOf(edge.to), key = `${a.key} ${b.key}`;
    if (a.key === b.key) return;
    let curve;
    if (a.folded || b.folded || !edge.curve.length) {
      if (seen.has(key)) {
        result.edges.find(other => other.key === key).parts.push(e);
        return;
      }
      // From where it would leave to where it would arrive if all were open, and there by the same way.
      const along = (end, k) => Math.max(end.box[0] + 12, Math.min(end.box[0] + end.box[2] - 12,
        edge.curve.length ? shrink[0](edge.curve.at(k)) : end.box[0] + end.box[2] / 2));
      const way = [[along(a, 0), a.box[1] + a.box[3]]];
      for (let k = 6; k + 2 < edge.curve.length; k += 6) {
        const x = edge.curve[k], y = edge.curve[k + 1];
        if (![a, b].some(end => end.folded && within(x, y, graph.groups[end.group].box))) way.push([shrink[0](x), shrink[1](y)]);
      }
      way.push([along(b, -2), b.box[1]]);
      curve = [...way[0]];
      for (let k = 1; k < way.length; ++k) {
        const [x0, y0] = way[k - 1], [x1, y1] = way[k], half = (y1 - y0) / 2;
        curve.push(x0, y0 + half, x1, y1 - half, x1, y1);
      }
    } else {
      curve = edge.curve.map((v, k) => shrink[k % 2](v));
    }
    seen.add(key);
    result.edges.push({key, parts: [e], curve});
  });
  return result;
}

const path = c => `M${c[0]} ${c[1]}` + c.slice(2).reduce((d, v, k) => d + (k % 6 ? " " : "C") + v.toFixed(1), "");

// The triangle at the end of a curve.
function arrow(x, y, fromX, fromY) {
  const length = Math.hypot(x - fromX, y - fromY) || 1, ux = (x - fromX) / length, uy = (y - fromY) / length;
  return `M${x} ${y}L${x - 7 * ux + 3.5 * uy} ${y - 7 * uy - 3.5 * ux}L${x - 7 * ux - 3.5 * uy} ${y - 7 * uy + 3.5 * ux}Z`;
}

function cut(label, width, perLetter) {
  const letters = Math.max(3, Math.floor(width / perLetter));
  return label.length <= letters ? label : label.slice(0, letters - 1) + "…";
}

function foldedGroups(g = step().graph) {
  if (!state.folded.has(g)) {
    const {groups, nodes} = trace.graphs[g];
    // Large graphs begin folded, as far as what is left can be read: outermost modules stay open longest.
    const depth = k => (groups[k].parent < 0 ? 0 : 1 + depth(groups[k].parent));
    const root = k => depth(k) === 0 && groups.some(other => other.parent === k);
    state.folded.set(g, new Set(nodes.length > 60 ? groups.map((group, k) => k).filter(k => !root(k)) : []));
  }
  return state.folded.get(g);
}

function toggle(g) {
  const folded = foldedGroups();
  folded.has(g) ? folded.delete(g) : folded.add(g);
  drawing.graph = null;
  render();
  const again = document.querySelector(`[data-group="${g}"]`);
  if (again) again.focus();
}

const drawing = {graph: null};

function draw() {
  const graph = trace.graphs[step().graph], folded = foldedGroups();
  if (drawing.graph === graph) return;
  const a = arrangement(graph, folded);
  const svg = make("svg", {role: "group", "aria-label": "Graph of the tape. Its entries are listed under Tape and Parameters."});
  const button = (g, label, open) => ({
    class: "toggle", role: "button", tabindex: 0, "data-group": g, "aria-expanded": String(open), "aria-label": `${label}: ${open ? "fold" : "unfold"}`,
    onclick: event => { event.stopPropagation(); toggle(g); },
    onkeydown: event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); toggle(g); } }
  });
  const groupTitle = g => {
    const {name, kind, call, parent} = graph.groups[g], around = parent < 0 ? "" : `${graph.groups[parent].name}.`;
    const own = around.length > 1 && name.startsWith(around) ? name.slice(around.length) : name;
    return [own, kind].filter(Boolean).join(" · ") + (call > 1 ? ` (call ${call})` : "");
  };
  for (const [g, [x, y, w, h]] of a.groups) svg.append(make("rect", {class: "group", x, y, width: w, height: h, rx: 9}));
  drawing.edges = graph.edges.map(() => []);
  for (const {parts, curve} of a.edges) {
    const n = curve.length, bend = n - 4, start = 2;
    const line = make("path", {class: "edge", d: path(curve)});
    const down = make("path", {class: "head", d: arrow(curve[n - 2], curve[n - 1], curve[bend], curve[bend + 1])});
    const up = make("path", {class: "head", d: arrow(curve[0], curve[1], curve[start], curve[start + 1]), visibility: "hidden"});
    svg.append(line, down, up);
    parts.forEach(e => drawing.edges[e].push({line, down, up}));
  }
  for (const [g, [x, y, w, h]] of a.groups)
    svg.append(make("g", button(g, groupTitle(g), true), make("title", {}, groupTitle(g)), make("rect", {x, y, width: w, height: 24}),
      make("text", {x: x + 10, y: y + 16}, `▾ ${cut(groupTitle(g), w - 24, 6.4)}`)));
  drawing.nodes = new Map();
  for (const [i, [x, y, w, h]] of a.nodes) {
    const {title: label, subtitle} = graph.nodes[i], middle = x + w / 2;
    const isLeaf = step().entries[i].kind !== "operation";
    const node = make("g", {class: `node${isLeaf ? " leaf" : ""}${h > 50 ? " tall" : ""}`, "data-entry": i, onclick: () => choose(i)},
      make("rect", {x, y, width: w, height: h, rx: isLeaf ? Math.min(h / 2, 18) : 7}),
      make("text", {x: middle, y: y + (subtitle ? 17 : h / 2 + 4.5), "text-anchor": "middle"}, label),
      subtitle && make("text", {class: "shape", x: middle, y: y + 32, "text-anchor": "middle"}, subtitle),
      h > 50 && make("text", {class: "gradient", x: middle, y: y + 47, "text-anchor": "middle"}));
    drawing.nodes.set(i, node);
    svg.append(node);
  }
  drawing.boxes = new Map();
  for (const [g, [x, y, w, h]] of a.boxes) {
    const inside = graph.nodes.filter((node, i) => {
      for (let k = node.group; k >= 0; k = graph.groups[k].parent) if (k === g) return step().entries[i].kind === "operation";
      return false;
    }).length;
    const label = groupTitle(g);
    const box = make("g", button(g, `${label}, ${plural(inside, "operation")}`, false), make("title", {}, label), make("rect", {x, y, width: w, height: h, rx: 9}),
      make("text", {x: x + w / 2, y: y + 18, "text-anchor": "middle"}, `▸ ${cut(label, w - 34, 7.2)}`),
      make("text", {class: "shape", x: x + w / 2, y: y + 34, "text-anchor": "middle"}, plural(inside, "operation")));
    box.classList.add("node", "folded");
    drawing.boxes.set(g, box);
    svg.append(box);
  }
  Object.assign(drawing, {graph, svg, places: a});
  $("view-graph").replaceChildren(svg);
  zoom();
  $("fold").hidden = graph.groups.length === 0;
  $("fold").textContent = folded.size ? "Unfold modules" : "Fold modules";
}

function zoom() {
  const {width, height} = drawing.places, space = $("view-graph").clientWidth;
  const fit = space > 0 ? Math.max(0.55, Math.min(1, (space - 4) / width)) : 1;
  drawing.scale = state.zoom || fit;
  drawing.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.svg.setAttribute("width", width * drawing.scale);
  drawing.svg.setAttribute("height", height * drawing.scale);
}

// The place of an entry in the drawing: its own, or that of the folded group that it is in.
function placeOf(i) {
  const own = drawing.places.nodes.get(i);
  if (own) return own;
  for (let g = drawing.graph.nodes[i].group; g >= 0; g = drawing.graph.groups[g].parent)
    if (drawing.places.boxes.has(g)) return drawing.places.boxes.get(g);
  return null;
}

function markGraph() {
  const s = step(), f = frame(), back = isBackward();
  const inside = (i, g) => {
    for (let k = drawing.graph.nodes[i].group; k >= 0; k = drawing.graph.groups[k].parent) if (k === g) return true;
    return false;
  };
  for (const [i, node] of drawing.nodes) {
    const entry = s.entries[i];
    const there = state.frame >= s.forwardAt[i], graded = Boolean(back && entry.gradient && state.frame >= s.gradedAt[i]);
    node.classList.toggle("future", !there);
    node.classList.toggle("graded", graded);
    if (count(entry.value.shape) === 1 && node.querySelector(".shape")) {
      node.querySelector(".shape").textContent = there ? text(entry.value.values[0]) : "";
      const gradient = node.querySelector(".gradient");
      if (gradient) gradient.textContent = graded ? `grad ${text(entry.gradient.values[0], 3)}` : "";
    }
    node.classList.toggle("now", f.entry === i);
    node.classList.toggle("chosen", state.chosen === i);
    node.classList.toggle("bad", (strange(entry.value) && there) || (strange(entry.gradient) && graded));
  }
  for (const [g, box] of drawing.boxes) {
    box.classList.toggle("now", f.entry != null && inside(f.entry, g));
    box.classList.toggle("future", s.operations.every(i => !inside(i, g) || state.frame < s.forwardAt[i]));
  }
  const marks = new Map();  // of lines, which stand for several edges where modules are folded
  drawing.graph.edges.forEach((edge, e) => {
    const {from, to} = edge, entry = s.entries[to];
    const flows = entry.flow && entry.inputs.some((input, k) => input === from && entry.flow[k]);
    const now = f.entry === to && (f.pass === "forward" || flows);
    const done = state.frame >= s.forwardAt[to], graded = back && flows && state.frame >= s.backwardAt[to];
    const share = sum((entry.flow || []).map((part, k) => (entry.inputs[k] === from && part ? part.share : 0)));
    for (const parts of drawing.edges[e]) {
      const mark = marks.get(parts.line) || {parts};
      marks.set(parts.line, {parts, now: mark.now || now, done: mark.done || done, graded: mark.graded || graded, share: now ? share : mark.share});
    }
  });
  for (const {parts: {line, down, up}, now, done, graded, share} of marks.values()) {
    line.setAttribute("class", `edge${done ? " done" : ""}${graded ? " graded" : ""}${now ? " now" : ""}`);
    line.style.strokeWidth = now && f.pass === "backward" ? 1.6 + 2.2 * share : "";
    const reverse = graded || (now && f.pass === "backward");
    down.setAttribute("visibility", reverse ? "hidden" : "visible");
    up.setAttribute("visibility", reverse ? "visible" : "hidden");
    down.setAttribute("class", `head${now ? " now" : ""}`);
    up.setAttribute("class", "head back");
    down.style.opacity = done || now ? "" : 0.4;
    if (now) for (const part of [line, down, up]) part.parentNode.insertBefore(part, part.parentNode.querySelector(".toggle, .node"));
  }
  const at = f.entry != null && placeOf(f.entry), pane = $("view-graph");
  if (!at && f.pass === "start") pane.scrollTo({top: 0});
  if (at && state.chosen == null) {
    const middleX = (at[0] + at[2] / 2) * drawing.scale, middleY = (at[1] + at[3] / 2) * drawing.scale;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    pane.scrollTo({left: middleX - pane.clientWidth / 2, top: middleY - pane.clientHeight / 2, behavior});
  }
}

// ---- all of it ----

function lists(s) {
  if (!$("view-tape").hidden) {
    if (!s.list) s.list = tapeTable(s);
    if ($("view-tape").firstChild !== s.list.table) $("view-tape").replaceChildren(s.list.table);
    s.list.mark();
    const now = s.list.table.querySelector(".now");
    if (now) now.scrollIntoView({block: "nearest"});
  }
  if (!$("view-parameters").hidden) {
    const focused = [...$("view-parameters").querySelectorAll("button")].indexOf(document.activeElement);
    $("view-parameters").replaceChildren(...[parameterTable(s), checkNote(s)].filter(Boolean));
    if (focused >= 0) $("view-parameters").querySelectorAll("button")[focused].focus();
  }
}

function render() {
  const s = step(), f = frame();
  document.body.classList.toggle("backward", isBackward());
  document.body.classList.toggle("resting", f.pass === "start");
  draw();
  markGraph();
  lists(s);
  inspect();

  $("frame").max = s.frames.length - 1;
  $("frame").value = state.frame;
  const forward = s.operations.length, back = s.frames.length - forward - 1;
  $("pass-forward").style.flexGrow = forward;
  $("pass-backward").style.flexGrow = Math.max(back, 0.001);
  $("pass-backward").hidden = back <= 0;
  const passes = {forward, backward: back - 1};
  const number = f.pass === "forward" ? state.frame : state.frame - forward;
  const says = f.pass === "start" ? "start" : f.pass === "end" ? "done: all gradients are there"
    : [make("b", {}, `${nameOf(s, f.entry)}`), whereOf(s, f.entry), make("span", {}, ` · ${f.pass} ${number} of ${passes[f.pass]}`)];
  $("caption").replaceChildren(...[says].flat());
  $("frame").setAttribute("aria-valuetext", $("caption").textContent);
  for (const id of ["first", "back"]) $(id).disabled = state.frame === 0;
  for (const id of ["next", "last"]) $(id).disabled = state.frame === s.frames.length - 1;

  $("step").value = state.step;
  $("step-label").replaceChildren(make("b", {}, s.label), make("span", {}, s.loss != null ? `loss ${text(s.loss)}` : ""));
  $("step").setAttribute("aria-valuetext", $("step-label").textContent);
  drawLosses();
}

// The loss over the steps.
function drawLosses() {
  const losses = trace.steps.map(s => (typeof s.loss === "number" ? s.loss : null));
  const finite = losses.filter(v => v != null), n = losses.length;
  if (finite.length < 2) return;
  const low = Math.min(0, ...finite), high = Math.max(...finite);
  const x = k => 4 + 112 * k / (n - 1), y = v => 25 - 24 * (v - low) / (high - low || 1);
  $("losses").replaceChildren(
    make("line", {x1: x(state.step), x2: x(state.step), y1: 0, y2: 26}),
    make("polyline", {points: losses.map((v, k) => (v == null ? null : `${x(k).toFixed(1)},${y(v).toFixed(1)}`)).filter(Boolean).join(" ")}));
}

function showTab(name, focus) {
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    const on = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !on;
    if (on && focus) tab.focus();
  }
  $("graph-tools").hidden = name !== "graph";
  if (name === "graph") zoom();
  render();
}

function listen() {
  const click = (id, f) => $(id).addEventListener("click", f);
  click("first", () => go(0));
  click("back", () => go(state.frame - 1));
  click("play", () => play(!state.timer));
  click("next", () => go(state.frame + 1));
  click("last", () => go(Infinity));
  click("fold", () => {
    const folded = foldedGroups(), {groups} = trace.graphs[step().graph];
    if (folded.size) folded.clear();
    else groups.forEach((group, g) => { if (group.parent >= 0 || !groups.some(other => other.parent === g)) folded.add(g); });
    drawing.graph = null;
    render();
  });
  const scale = by => { state.zoom = Math.max(0.2, Math.min(2.5, drawing.scale * by)); zoom(); };
  click("zoom-in", () => scale(1.2));
  click("zoom-out", () => scale(1 / 1.2));
  click("zoom-fit", () => { state.zoom = 0; zoom(); });
  $("frame").addEventListener("input", () => { play(false); go(Number($("frame").value)); });
  $("step").addEventListener("input", () => goStep(Number($("step").value)));

  const tabs = ["graph", "tape", "parameters"];
  tabs.forEach((name, k) => {
    click(`tab-${name}`, () => showTab(name));
    $(`tab-${name}`).addEventListener("keydown", event => {
      const to = {ArrowRight: k + 1, ArrowLeft: k - 1, Home: 0, End: 2}[event.key];
      if (to == null) return;
      event.preventDefault();
      event.stopPropagation();
      showTab(tabs[(to + 3) % 3], true);
    });
  });

  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const tag = event.target.tagName;
    if (event.target.className === "numbers" && event.key.startsWith("Arrow")) return;
    if (tag === "INPUT" && !["[", "]", " "].includes(event.key)) return;  // sliders know their keys
    if (tag === "BUTTON" && (event.key === " " || event.key === "Enter")) return;
    const actions = {
      ArrowRight: () => { play(false); go(state.frame + 1); },
      ArrowLeft: () => { play(false); go(state.frame - 1); },
      Home: () => { play(false); go(0); },
      End: () => { play(false); go(Infinity); },
      " ": () => play(!state.timer),
      "[": () => goStep(state.step - 1),
      "]": () => goStep(state.step + 1)
    };
    const act = actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours = palette(); render(); });
  addEventListener("resize", () => zoom());
}

if (trace.network) {
  $("network").textContent = $("network").title = trace.network;
  document.title = `Trace of ${trace.network}`;
}
$("steps").hidden = trace.steps.length < 2;
$("step").max = trace.steps.length - 1;
listen();
render();
