"use strict";
// Shows the trace that the page carries: a place on the tape, and everything as it is known there. No
// libraries, no network. Here: small helpers, and what the data say. The files follow each other in one script.

let trace = JSON.parse(document.getElementById("trace").textContent);
const $ = id => document.getElementById(id);

// An element: attributes as they are written in HTML, "on..." for events; texts are only ever texts.
function make(tag, attributes, ...children) {
  const element = ["svg", "g", "rect", "text", "path", "polyline", "line", "title"].includes(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  element.append(...children.flat(Infinity).filter(child => child != null && child !== false && child !== ""));
  return element;
}
const paragraph = (kind, ...children) => make("p", {class: kind}, children);
const heading = label => make("h3", {}, label);
const row = (...cells) => make("tr", {}, cells);
const cell = (kind, ...children) => make("td", {class: kind}, children);
const header = labels => make("thead", {}, row(labels.map(label => make("th", {scope: "col"}, label))));

function text(value, digits = 4) {
  if (typeof value === "string") return value.replace("-Infinity", "−∞").replace("Infinity", "∞");
  if (value == null) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  let shown = size >= 1e6 || size < 1e-3 ? value.toExponential(digits - 1)
    : size >= 10 ** digits ? value.toFixed(0) : value.toPrecision(digits);
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

// What an update did to a parameter until the next step that was recorded, of which all numbers are there. If it
// moved straight against the gradient, `rate` says by how much of it.
function updateOf(s, i) {
  const {name, kind, value, gradient} = s.entries[i], at = trace.steps.indexOf(s), next = trace.steps[at + 1];
  if (kind !== "parameter" || !name || !next) return null;
  const then = next.entries.find(e => e.kind === kind && e.name === name);
  if (!then || value.rows || then.value.rows || then.value.values.length !== value.values.length) return null;
  const change = then.value.values.map((v, k) => v - value.values[k]);
  if (!change.every(Number.isFinite)) return null;
  const dot = (a, b) => sum(a.map((v, k) => v * b[k])), norm = Math.sqrt(dot(change, change));
  let rate = null;
  if (gradient && !gradient.rows && gradient.norm > 0 && norm > 0) {
    const r = -dot(change, gradient.values) / dot(gradient.values, gradient.values);
    const rest = change.map((v, k) => v + r * gradient.values[k]);
    if (Math.sqrt(dot(rest, rest)) <= 1e-4 * norm + 1e-6 * value.norm) rate = r;
  }
  const shape = {...then.value, values: change, min: Math.min(...change), max: Math.max(...change), norm,
    zeros: change.filter(v => v === 0).length};
  shape.mean = sum(change) / (change.length || 1);
  shape.deviation = Math.sqrt(sum(change.map(v => (v - shape.mean) ** 2)) / (change.length || 1));
  return {label: next.label, change: shape, then: then.value, rate, norm, ratio: norm / value.norm};
}

let explained = new Map(Object.entries(trace.operations));
const unexplained = {
  formula: "", words: "An operation of the program's own.", rules: [],
  rule_words: "Its rules are the program's own, too."
};
const operationText = entry => explained.get(entry.operation) || unexplained;

const ruleOf = (entry, k) => {
  const {rules} = operationText(entry);
  return rules[Math.min(k, rules.length - 1)] || "";
};

// Operations that work element by element and stretch a smaller operand to fit.
const stretching = new Set(["add", "sub", "mul", "div", "maximum", "pow", "where"]);

// Over what a rule adds dy up, since the operand was stretched along it: "the 6 rows"; "" if over nothing.
function summedOver(s, entry, k) {
  if (!stretching.has(entry.operation)) return "";
  const out = entry.value.shape, own = s.entries[entry.inputs[k]].value.shape;
  const before = out.length - own.length;
  const axes = out.map((n, axis) => axis).filter(axis => out[axis] !== 1 && (axis < before || own[axis - before] === 1));
  if (!axes.length) return "";
  if (sum(axes.map(() => 1)) === out.filter(n => n !== 1).length) return `all ${count(out)} elements`;
  const named = axis => axis === out.length - 2 ? `the ${out[axis]} rows`
    : axis === out.length - 1 ? `the ${out[axis]} columns` : `the ${out[axis]} of axis ${axis}`;
  return axes.map(named).join(" and ");
}

// Whether the rule hands dy on as it is, added up where the operand was stretched.
const copies = (entry, k) => entry.operation === "add" || (entry.operation === "sub" && k === 0);

// What happens to the gradient on its way to an input: "copied", "added up", "spread"; else null.
function wayOf(s, entry, k) {
  if (summedOver(s, entry, k)) return "added up";
  if (copies(entry, k)) return "copied";
  if (["sum", "broadcast_to"].includes(entry.operation)) {
    const out = count(entry.value.shape), own = count(s.entries[entry.inputs[k]].value.shape);
    return out === own ? "copied" : entry.operation === "sum" ? "spread" : "added up";
  }
  return null;
}

// The rule for these shapes: "db = dy summed over the 6 rows".
function ruleHere(s, entry, k) {
  const rule = ruleOf(entry, k), over = rule && summedOver(s, entry, k);
  if (!over) return rule;
  return `${rule}${copies(entry, k) || rule.endsWith("−dy") ? "" : ","} summed over ${over}`;
}

// The first on the tape with numbers that are not finite, in the order of computation; -1 if there is none.
function firstStrange(s) {
  const first = s.entries.findIndex(e => strange(e.value));
  return first >= 0 ? first : s.backward.find(k => strange(s.entries[k].gradient)) ?? -1;
}

// The place where an entry was computed, or its gradient complete.
const placeOfStrange = (s, i) => strange(s.entries[i].value) ? s.forwardAt[i] : s.gradedAt[i];

// What the formulas call an input.
function symbol(entry, k) {
  const found = k < operationText(entry).rules.length && /^d(\S+) =/.exec(ruleOf(entry, k));
  return found ? found[1] : entry.inputs.length > 1 ? `input ${k + 1}` : "input";
}

const kinds = {
  parameter: ["parameter",
    "A parameter: what is trained. Nothing was computed to get it, so backward ends here."],
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
