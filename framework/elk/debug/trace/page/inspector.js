// The inspector: what happens at a place of the tape, or what is known there of the entry that was chosen.
// Parts that are null are left out.

const link = (s, i) => make("button", {class: "link", onclick: () => choose(i)}, nameOf(s, i));

function inspect() {
  const s = step(), i = shownEntry();
  const parts = i == null ? (frame().pass === "start" ? start(s) : end(s))
    : s.entries[i].kind === "operation" ? operation(s, i) : leaf(s, i);
  $("inspector").replaceChildren(...parts.flat(Infinity).filter(Boolean));
  for (const table of $("inspector").querySelectorAll(".numbers"))
    if (table.scrollWidth > table.clientWidth) table.tabIndex = 0;  // to be scrolled by keys
}

// A link to where numbers that are not finite began.
function culprit(s) {
  const first = firstStrange(s);
  if (first < 0) return null;
  const what = strange(s.entries[first].value) ? "value" : "gradient";
  return paragraph("warning", `Not all numbers of this step are finite. The first such is in the ${what} of `,
    make("button", {class: "link", onclick: () => goTo(placeOfStrange(s, first), first)}, nameOf(s, first)),
    whereOf(s, first), ".");
}

function start(s) {
  const parameters = s.entries.filter(e => e.kind === "parameter");
  const trained = sum(parameters.map(e => count(e.value.shape)));
  const keys = [["← →", "one entry back, on"], ["Home End", "to the start, to the end"], ["space", "play, pause"]];
  keys.push(["/", "search"]);
  if (trace.steps.length > 1) keys.push(["[ ]", "training step before, after"]);
  return [
    make("h2", {}, trace.steps.length > 1 ? `The tape of ${s.label}` : "A tape, entry by entry"),
    paragraph("where", s.loss != null && `loss ${text(s.loss)}`),
    culprit(s),
    paragraph("words", "While a tape lives, every operation on a parameter appends an entry to it: here ",
      `${plural(s.operations.length, "operation")} on ${plural(parameters.length, "parameter")} of `,
      `${plural(trained, "number")}. Going forward, each entry's value is computed from those of its inputs.`),
    paragraph("words", s.backward.length
      ? "Then backward walks the same list from its end. Each entry has the gradient of the loss with respect " +
        "to its value by then, and hands it on to its inputs by a rule that needs to know nothing but this one " +
        "operation."
      : "Backward did not run on this tape: there are no gradients."),
    s.left_out &&
      paragraph("warning", `The tape is longer than what is shown: ${plural(s.left_out, "operation")} more.`),
    heading("Keys"),
    make("dl", {class: "facts"}, keys.map(([key, what]) => [make("dt", {}, key), make("dd", {}, what)])),
    paragraph("note", "Click an entry of the graph to look at it without leaving your place.")
  ];
}

function end(s) {
  return [
    make("h2", {}, "Every parameter has its gradient"),
    paragraph("where", s.loss != null && `loss ${text(s.loss)}`),
    culprit(s),
    paragraph("words", "This is what backward returns: for each parameter, by how much the loss changes with it. ",
      "An optimizer moves each of them a little against its gradient, and the loss goes down."),
    heading("Parameters"), parameterTable(s), checkNote(s)
  ];
}

function title(s, i) {
  const {name, kind, operation: what} = s.entries[i];
  const named = name && kind === "operation" ? `${what}, ` : "";
  return [
    state.chosen == null && make("span", {class: "pass"}, passOf(s)),
    make("h2", {}, nameOf(s, i)),
    paragraph("where", `${named}entry ${i + 1} of ${s.entries.length}${whereOf(s, i)}`)
  ];
}

// Of a NaN or an infinity: where it comes from is where it was first, in the order of computation.
function warn(s, i) {
  const entry = s.entries[i];
  const value = strange(entry.value) && state.frame >= s.forwardAt[i];
  const gradient = strange(entry.gradient) && state.frame >= s.gradedAt[i];
  if (!value && !gradient) return null;
  const first = firstStrange(s);
  const what = value && gradient ? "value and gradient" : value ? "value" : "gradient";
  return paragraph("warning", `There are numbers in its ${what} that are not finite. `, first === i
    ? "It is the first on the tape to have such."
    : ["The first on the tape to have such is ", link(s, first), whereOf(s, first), "."]);
}

function operation(s, i) {
  const entry = s.entries[i], words = operationText(entry);
  const goingBack = isBackward() && state.frame >= s.backwardAt[i];
  const parts = [
    title(s, i), warn(s, i),
    goingBack && [backwardPart(s, i, words), heading("Forward")],
    words.formula && paragraph("formula", words.formula),
    words.words && paragraph("words", words.words)
  ];
  if (state.frame < s.forwardAt[i])
    return [...parts, heading("Value"), paragraph("note", "Not yet computed at this place.")];
  return [
    ...parts,
    heading(entry.inputs.length > 1 ? "Inputs" : "Input"),
    make("ul", {class: "plain"}, entry.inputs.map((from, k) => make("li", {},
      `${symbol(entry, k)} is `, link(s, from), make("span", {class: "note"}, ` ${brief(s.entries[from].value)}`)))),
    heading("Value"), tensorView("y", entry.value, false, {made: element => madeOf(s, entry, element)}),
    !goingBack && isBackward() && gradientPart(s, i)
  ];
}

function backwardPart(s, i, words) {
  const entry = s.entries[i], [first] = entry.gradient.values;
  const begins = entry.gradient.values.length === 1 && first === 1
    ? "the gradient of the loss with respect to itself is 1." : "this gradient was given to it.";
  return [
    heading("Gradient of the loss with respect to y"), tensorView("dy", entry.gradient),
    i === s.seed ? paragraph("note", `Backward begins here: ${begins}`) : arrivals(s, i),
    heading("What its inputs get"),
    words.rule_words && paragraph("words", words.rule_words),
    make("ul", {class: "plain flows"}, entry.inputs.map((from, k) => flowPart(s, entry, from, k)))
  ];
}

// One arrow in and several out, or the other way round: what was copied, and what was added up. Read upwards, as the
// gradient flows in the graph.
function wayPicture(way) {
  const ends = way === "copied" ? [0] : [-12, 0, 12];
  const lines = ends.map(x => make("path", {
    d: way === "added up" ? `M${20 + x} 26C${20 + x} 16 20 18 20 9` : `M20 26C20 16 ${20 + x} 18 ${20 + x} 9`
  }));
  const heads = (way === "spread" ? ends : [0]).map(x => make("path", {class: "head", d: arrow(20 + x, 2, 20 + x, 12)}));
  return make("svg", {class: "way", viewBox: "0 0 40 28", "aria-hidden": "true"}, lines, heads);
}

function wayWords(s, entry, k, way) {
  if (way === "copied") return entry.inputs.length > 1 ? "A copy of dy: the other operand gets all of it, too." : "A copy of dy.";
  if (way === "spread") return `A copy of dy for each of the ${count(s.entries[entry.inputs[k]].value.shape)} elements that were added.`;
  const over = summedOver(s, entry, k);
  return over ? `It was stretched over ${over}; the gradients of all copies are added up.`
    : "The gradients of all copies are added up.";
}

function flowPart(s, entry, from, k) {
  const flow = entry.flow[k], name = symbol(entry, k);
  const line = make("div", {class: "line"}, make("span", {}, `${name} is `, link(s, from)));
  if (!flow) {
    line.append(make("span", {}, "a constant: no gradient is computed"));
    return make("li", {class: "flow"}, line);
  }
  const shape = s.entries[from].value.shape;
  line.append(shape.length ? make("span", {}, shapeText(shape)) : "",
    make("span", {"data-norm": flow.norm}, `norm ${text(flow.norm)}`));
  const dx = flow.dx || s.entries[from].gradient, way = wayOf(s, entry, k);
  return make("li", {class: "flow"},
    paragraph("formula", ruleHere(s, entry, k) || `d ${name}`), line,
    way && make("div", {class: "ways"}, wayPicture(way), paragraph("note", wayWords(s, entry, k, way))),
    dx && tensorView("", dx, true, {made: element => flowMade(s, entry, k, element), first: true}));
}

// From where the gradient of an entry came: it is the sum over all who took the entry.
function arrivals(s, i) {
  const users = s.users[i].filter(u => u.flows);
  if (users.length < 2) return null;
  return paragraph("note", `It is the sum of what ${users.length} uses gave back: `, users.map((u, k) => [
    k ? ", " : "", link(s, u.entry), ` (norm ${text(s.entries[u.entry].flow[u.input].norm)})`]), ".");
}

function gradientPart(s, i) {
  const entry = s.entries[i];
  if (entry.kind === "constant") return [];
  const says = words => [heading("Gradient of the loss"), paragraph("note", words)];
  if (!entry.gradient)
    return says(s.backward.length ? "None: the loss does not depend on it." : "Backward did not run.");
  if (state.frame < s.gradedAt[i]) {
    const uses = s.users[i].filter(u => u.flows), there = uses.filter(u => state.frame >= s.backwardAt[u.entry]);
    return says(there.length
      ? `Not complete at this place: ${there.length} of its ${uses.length} uses have given theirs back.`
      : "Not yet there at this place.");
  }
  return [heading("Gradient of the loss"), tensorView("gradient", entry.gradient), arrivals(s, i)];
}

function leaf(s, i) {
  const entry = s.entries[i], parameter = entry.kind === "parameter";
  return [
    title(s, i), warn(s, i),
    paragraph("words", kinds[entry.kind][1]),
    parameter && !entry.name &&
      paragraph("note", "It is not a parameter of the network that was given to write()."),
    heading("Taken by"),
    make("ul", {class: "plain"}, s.users[i].map(u => make("li", {},
      link(s, u.entry), make("span", {class: "note"}, whereOf(s, u.entry))))),
    heading("Value"), tensorView("value", entry.value, false, {change: changeOf(entry)}),
    gradientPart(s, i),
    parameter && entry.gradient && state.frame >= s.gradedAt[i] && [updatePart(s, i), checkPart(s, entry)]
  ];
}

// What changes a number of a leaf, where the page around this one lets it: in the first step, before any update.
function changeOf(entry) {
  const {editor} = state;
  if (!editor || state.step > 0 || !editor.accepts(entry.name)) return null;
  return (element, value) => editor.change(entry.name, element, value);
}

// What the optimizer made of the gradient: the difference to the next step that was recorded.
function updatePart(s, i) {
  const update = updateOf(s, i);
  if (!update) return null;
  return [
    heading(`The update, from ${s.label} to ${update.label}`),
    update.rate != null && paragraph("formula", `w ← w − ${text(update.rate)} · gradient`),
    tensorView("change", update.change, false, {made: element => updateMade(s, i, update, element), first: true}),
    paragraph("note", `Its norm is ${text(update.norm, 3)}, ${text(100 * update.ratio, 3)}% of that of the parameter.`,
      update.rate == null && update.norm > 0 &&
        " It is not a multiple of this gradient: there were steps in between, or the optimizer does more than to follow it.")
  ];
}

// ---- finite differences ----

function verdict(s, entry) {
  if (!entry.check || !s.check.same_loss) return make("span", {class: "note"}, "–");
  const wrong = entry.check.filter(c => !c.ok);
  if (wrong.some(c => !c.corner)) return make("span", {class: "wrong"}, "✗ differs");
  if (wrong.length) return make("span", {class: "note"}, "at a corner");
  const worst = Math.max(...entry.check.map(c => (typeof c.error === "number" ? c.error : 0)));
  const digits = Math.max(1, Math.min(12, Math.floor(-Math.log10(worst || 1e-12))));
  return make("span", {class: "good"}, worst > 0 ? `✓ to ${plural(digits, "digit")}` : "✓ exactly");
}

function checkNote(s) {
  if (!s.backward.length) return null;
  if (!s.check)
    return paragraph("note", "No gradient of this step was checked against finite differences: the program did ",
      "not call trace.check.");
  if (!s.check.same_loss)
    return paragraph("warning", `The check computed the loss again and got ${text(s.check.loss, 6)} where the `,
      `tape has ${text(s.loss, 6)}: it is of another function, and tells nothing about these gradients. Was it `,
      "another batch, or is there dropout, which the check leaves out?");
  return paragraph("note", "Checked: the loss with an element of the parameter a little larger, and a little ",
    `smaller, computed in ${s.check.dtype}; the difference over the distance is the slope that the gradient `,
    "claims.");
}

function checkPart(s, entry) {
  const parts = [heading("Checked against finite differences")];
  if (entry.check && s.check.same_loss) {
    const agrees = c => (c.ok ? make("span", {class: "good"}, "✓")
      : c.corner ? make("span", {class: "note"}, "corner") : make("span", {class: "wrong"}, "✗"));
    const number = value => make("td", {class: "right", "data-value": value}, text(value, 6));
    const rows = entry.check.map(c => row(
      cell("", place(c.element, entry.value.shape)), number(c.tape), number(c.difference), cell("", agrees(c))));
    parts.push(make("table", {class: "list checks"}, header(["element", "by the tape", "by difference", "agree"]),
      make("tbody", {}, rows)));
    if (entry.check.some(c => c.corner && !c.ok))
      parts.push(paragraph("note", "At a corner, such as that of relu at 0, the slopes to both sides differ. The ",
        "difference is between them, the tape takes one."));
  }
  return [...parts, checkNote(s)];
}

// ---- the lists ----

// Lengths of bars for norms: by their logarithms, over four decades.
function size(norm, most) {
  const share = norm > 0 && most > 0 ? Math.max(0.03, 1 + Math.log10(norm / most) / 4) : 0;
  return make("span", {class: "size", title: "norm, on a logarithmic scale"},
    make("i", {style: `width: ${100 * share}%`}));
}

const normOf = entry => (entry.gradient ? entry.gradient.norm : 0);

// The list of the tape is made once for a step: it may be long. `mark` sets it to the place that is shown.
function tapeTable(s) {
  const most = Math.max(0, ...s.operations.map(i => normOf(s.entries[i])));
  const rows = s.operations.map((i, k) => {
    const entry = s.entries[i], {gradient} = entry;
    const at = () => (isBackward() && s.backwardAt[i] < Infinity ? s.backwardAt[i] : s.forwardAt[i]);
    const button = make("button", {onclick: () => go(at())}, nameOf(s, i));
    const norm = cell("right", gradient ? [text(gradient.norm, 3), size(gradient.norm, most)] : "");
    const broken = strange(entry.value) || strange(gradient);
    return {i, button, norm, row: row(
      cell("right", String(k + 1)),
      cell("", button, broken && make("span", {class: "wrong"}, " not finite")),
      cell("", whereOf(s, i).replace(" in ", "")),
      cell("shape", shapeText(entry.value.shape)),
      norm)};
  });
  const mark = () => rows.forEach(({i, button, norm, row: line}) => {
    const now = frame().entry === i;
    line.className = now ? "now" : state.frame < s.forwardAt[i] ? "future" : "";
    line.classList.toggle("found", state.found.includes(i));
    if (now) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
    norm.style.visibility = state.frame >= s.gradedAt[i] ? "" : "hidden";
  });
  const table = make("table", {class: "list tape"}, header(["#", "operation", "module", "shape", "gradient (norm, bars: log)"]),
    make("tbody", {}, rows.map(r => r.row)));
  return {mark, table};
}

// A dotted name, which may be broken after its dots.
const breakable = name => name.split(/(?<=\.)/).flatMap(part => [make("wbr"), part]);

function parameterTable(s) {
  const list = s.entries.map((e, i) => i).filter(i => ["parameter", "watched"].includes(s.entries[i].kind));
  if (!list.length) return paragraph("note", "There are none on this tape.");
  const most = Math.max(0, ...list.map(i => normOf(s.entries[i])));
  const next = trace.steps[trace.steps.indexOf(s) + 1], moves = list.map(i => updateOf(s, i));
  const moved = moves.some(Boolean) && [`moved by, until ${next.label}`];
  return make("table", {class: "list parameters"},
    header(["name", "shape", "gradient (norm, bars: log)", "difference", ...(moved || [])]),
    make("tbody", {}, list.map((i, k) => {
      const entry = s.entries[i], {gradient} = entry, there = gradient && state.frame >= s.gradedAt[i];
      const line = row(
        cell("", make("button", {onclick: () => choose(i)}, breakable(nameOf(s, i)))),
        cell("shape", shapeText(entry.value.shape)),
        cell("right", there ? [text(gradient.norm, 3), size(gradient.norm, most)] : gradient ? "not yet" : "none"),
        cell("", there && verdict(s, entry)),
        moved && cell("right", there && moves[k] && `${text(100 * moves[k].ratio, 2)}%`));
      line.className = there ? "" : "future";
      return line;
    })));
}
