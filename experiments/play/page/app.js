// The state, the engine, and what the controls do.

const app = {
  state: null, defaults: null, choices: null, train: null, test: null, digits: null,
  playing: false, goal: null, history: [], mark: null, size: 40, frames: 0
};

const form = $("form"), field = name => form.elements[name];
const isPlane = () => !["curve", "digits"].includes(app.state.data);

// ---- the engine ----

function startEngine(module) {
  app.ask = request => {
    const text = JSON.stringify(request), length = module.lengthBytesUTF8(text) + 1, at = module._malloc(length);
    module.stringToUTF8(text, at, length);
    const answer = module.UTF8ToString(module._play_answer(at));
    module._free(at);
    return JSON.parse(answer);
  };
  app.picture = () => {
    const {parts} = app.ask({do: "picture", size: app.size}), last = parts.at(-1), at = module._play_picture() >> 2;
    const numbers = module.HEAPF32.subarray(at, at + last.offset + last.rows * last.columns);
    return parts.map(part => new Part(numbers, part));
  };
}

// ---- the address ----

const numeric = new Set(["noise", "lr", "batch", "dropout", "weight_decay", "seed"]);

// "20,layer1.weight,3,0.25": after 20 steps.
function editFrom(text) {
  return text.split(",").map((part, k) => (k === 1 ? part : Number(part)));
}

function stateFromHash(hash) {
  const state = {};
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (name === "hidden") state.hidden = text ? text.split(",").map(Number) : [];
    else if (name === "features") state.features = text ? text.split(",") : [];
    else if (name === "points") state.points = text ? text.split(";").map(point => point.split(",").map(Number)) : [];
    else if (name === "edits") state.edits = text ? text.split(";").map(editFrom) : [];
    else state[name] = numeric.has(name) ? Number(text) : text;
  }
  return state;
}

function hashOf(state) {
  const parts = [];
  for (const [name, value] of Object.entries(state)) {
    if (JSON.stringify(value) === JSON.stringify(app.defaults[name])) continue;
    if (name === "edits" && !value.length) continue;
    const text = ["points", "edits"].includes(name) ? value.map(one => one.join(",")).join(";") : Array.isArray(value) ? value.join(",") : value;
    parts.push(`${name}=${text}`);
  }
  return parts.join("&");
}

// ---- starting ----

const message = error => error.replace(/^\[\w+\] /, "");

function toAddress() {
  history.replaceState(null, "", `#${hashOf(app.state)}`);
}

// Starts with a state; false, and nothing has changed, where it is refused. Numbers that were changed by hand belong to
// one run: another begins without them.
function start(state, {preset = false, edited = false} = {}) {
  const answer = app.ask({do: "start", state: edited ? state : {...state, edits: []}});
  $("problem").hidden = !answer.error;
  if (answer.error) {
    $("problem").textContent = `That cannot be: ${message(answer.error)}`;
    return false;
  }
  Object.assign(app, {state: answer.state, train: answer.train, test: answer.test, digits: answer.digits, history: [], goal: null});
  if (!preset) hidePreset();
  toAddress();
  fill();
  build();
  show(answer.report, true);
  return true;
}

function fromAddress() {
  if (start(stateFromHash(location.hash), {edited: true})) return toLastEdit();
  const problem = `The address asks for what cannot be: ${$("problem").textContent.replace(/^That cannot be: /, "")} Here is the usual network instead.`;
  start({});
  $("problem").textContent = problem;
  $("problem").hidden = false;
}

// Trains up to where the last number was changed by hand, so that a link shows what its sender saw.
function toLastEdit() {
  const last = (app.state.edits || []).at(-1);
  if (!last || last[0] === 0) return;
  app.play(true);
  app.goal = last[0];
}

// ---- the form ----

const words = {
  circles: "circles", moons: "moons", spiral: "spiral", xor: "exclusive or", own: "points of your own", curve: "a curve", digits: "digits",
  leaky_relu: "leaky relu", linear: "none", xavier: "Xavier", he: "He", normal: "N(0, 1)", orthogonal: "orthogonal", same: "all the same", zeros: "zeros",
  cross_entropy: "cross-entropy", mse: "mean squared error", hinge: "hinge", l1: "mean absolute error", huber: "Huber",
  adam: "Adam", sgd: "SGD", momentum: "SGD with momentum", rmsprop: "RMSprop", adagrad: "Adagrad", adamw: "AdamW",
  x: "x", y: "y", x2: "x²", y2: "y²", xy: "x · y", sinx: "sin x", siny: "sin y"
};
const word = name => words[name] || name;

function options(select, list, chosen) {
  select.replaceChildren(...list.map(name => make("option", {value: name}, word(name))));
  select.value = chosen;
}

const kind = data => (data === "digits" ? "digits" : data === "curve" ? "curve" : "points");

// Shows the state in the form.
function fill() {
  const {state, choices} = app;
  for (const name of ["data", "activation", "init", "optimizer"]) options(field(name), choices[name], state[name]);
  options(field("loss"), choices.loss[kind(state.data)], state.loss);
  for (const name of numeric) if (document.activeElement !== field(name)) field(name).value = state[name];
  const list = choices.features[kind(state.data)] || [];
  $("features").hidden = !list.length;
  const focused = document.activeElement && document.activeElement.id;
  $("features").replaceChildren(make("legend", {}, "Inputs"), ...list.map(name => make("label", {class: "check"},
    make("input", {type: "checkbox", id: `feature-${name}`, checked: state.features.includes(name), onchange: changed}), word(name))));
  $("layers").replaceChildren(...state.hidden.map((units, i) => make("label", {}, `layer ${i + 1}`,
    make("input", {type: "number", id: `units-${i}`, min: 1, max: choices.most_units, value: units, onchange: changed}))));
  $("add-layer").disabled = state.hidden.length >= choices.most_layers;
  $("remove-layer").disabled = !state.hidden.length;
  $("own").hidden = state.data !== "own";
  for (const name of ["noise"]) field(name).disabled = ["own", "digits"].includes(state.data);
  if (focused && $(focused)) $(focused).focus();
}

// The state that the form asks for; what does not fit the data is made to.
function wanted() {
  const state = {...app.state}, data = field("data").value;
  for (const name of ["data", "activation", "init", "optimizer", "loss"]) state[name] = field(name).value;
  for (const name of numeric) state[name] = field(name).value === "" ? app.state[name] : Number(field(name).value);
  state.hidden = [...$("layers").querySelectorAll("input")].map(input => Number(input.value));
  const features = [...$("features").querySelectorAll("input")].filter(input => input.checked).map(input => input.id.replace("feature-", ""));
  if (features.length || $("features").hidden === false) state.features = features;
  if (kind(data) !== kind(app.state.data)) Object.assign(state, usual(data));
  if (data !== "own") delete state.points;
  return state;
}

// What goes with another kind of data.
function usual(data) {
  const {features, hidden, loss, lr, batch, activation, init} = app.defaults;
  if (data === "digits") return {loss, hidden: [32], lr: 0.01, batch: 32, activation: "relu", init: "he", features};
  if (data === "curve") return {features: ["x"], hidden, loss: "mse", lr, batch, activation, init};
  return {features, hidden, loss, lr, batch, activation, init};
}

function changed() {
  if (!start(wanted())) fill();
}

// ---- what is shown ----

const names = list => list.map(word);

// What a screen reader calls the picture of a unit.
function unitName(l, u) {
  const {state} = app, output = l === state.hidden.length;
  const unit = output && state.data === "digits" ? `output for ${u}` : `layer ${l + 1}, unit ${u + 1}`;
  if (state.data !== "digits") return unit;
  return `${unit}: ${l ? "images for it, less those against it" : "its weights"}`;
}

function build() {
  const {state} = app, columns = [];
  if (state.data === "digits") {
    [...state.hidden, 10].forEach((n, l) => {
      const output = l === state.hidden.length, title = output ? "output" : `layer ${l + 1}`;
      columns.push({title: l ? `${title}: images` : `${title}: weights`, units: [...Array(n).keys()].map(u => unitName(l, u))});
    });
  } else {
    columns.push({title: "inputs", units: names(state.features)});
    state.hidden.forEach((n, l) => columns.push({title: `layer ${l + 1}`, units: [...Array(n).keys()].map(u => unitName(l, u))}));
    columns.push({title: "output", units: ["output"]});
  }
  layOut(columns);
  if (state.data === "digits") network.units.at(-1).forEach((unit, digit) => unit.dataset.says = digit);
  const picture = $("picture");
  picture.className = state.data === "curve" || state.data === "digits" ? "flat" : "square";
  app.mark = state.data === "own" ? app.mark || [0, 0] : null;
  picture.setAttribute("role", state.data === "own" ? "application" : "img");
  $("key").textContent = state.data === "curve" ? "The line is what the network says; the dots are what it learns from."
    : state.data === "digits" ? "Test images with what the network says, and how sure it is; red where it is wrong."
    : "Blue is one class, orange the other; the background is what the network says.";
  $("show-test").parentElement.hidden = ["digits", "own"].includes(state.data);
  $("inside-note").textContent = state.data === "digits"
    ? "The first layer has a weight for each pixel, so its pictures are its weights: ink where it is blue speaks for the unit, ink where it is orange against it." +
      (state.hidden.length ? " The weights of later layers belong to no pixels. Their pictures are made of the training images: the mean of those on which " +
        "the unit gives more than it does on average, less the mean of the others, each image counted by how far it is from that average." : "")
    : "Each small picture is one unit, over the same plane as the large one: blue where it is above 0, orange below. Lines are weights: thick where they are large.";
}

function paintAll(report) {
  const parts = app.picture(), {state, size} = app;
  if (state.data === "digits") {
    const [weights, probabilities, ...images] = parts;
    drawDigits($("picture"), app.digits, probabilities);
    [weights, ...images].forEach((part, l) => network.units[l].forEach((unit, u) => {
      let most = 0;
      for (let i = 0; i < 196; ++i) most = Math.max(most, Math.abs(part.at(u, i)));
      paint(unit.firstChild, 14, 14, i => part.at(u, i) / (most || 1));
    }));
    return drawEdges(report.weights.slice(1));
  }
  const sets = $("show-test").checked && state.data !== "own" ? [app.train, app.test] : [app.train];
  if (state.data === "curve") drawCurve($("picture"), parts.at(-1), sets);
  else drawPlane($("picture"), parts.at(-1), size, state.loss, sets, document.activeElement === $("picture") ? app.mark : null);
  parts.forEach((part, k) => paintUnits(k, part, size, state.data === "curve"));
  drawEdges(report.weights);
}

function percent(share) { return `${Math.round(100 * share)}%`; }

function fillTable(report) {
  const most = Math.max(0, ...report.layers.map(l => (Number.isFinite(l.gradient_norm) ? l.gradient_norm : 0)));
  const rows = report.layers.map((l, i) => {
    const dead = l.dead.filter(Boolean).length, flat = l.flat.reduce((a, b) => a + b, 0) / (l.flat.length || 1);
    const output = i === report.layers.length - 1, stepped = report.steps > 0;
    // Four decades of a logarithm.
    const bar = l.gradient_norm > 0 && most > 0 ? Math.max(0.03, 1 + Math.log10(l.gradient_norm / most) / 4) : 0;
    const ratio = l.update_norm / l.weight_norm;
    const cell = (text, alarm) => make("td", {class: alarm ? "alarm" : null}, text);
    return make("tr", {}, make("th", {scope: "row"}, output ? "output" : `layer ${i + 1}`),
      make("td", {class: Number.isFinite(l.gradient_norm) ? null : "alarm"}, stepped ? shown(l.gradient_norm) : "–",
        stepped && make("span", {class: "bar", style: `width: ${(4 * bar).toFixed(2)}rem`})),
      cell(stepped ? (Number.isFinite(ratio) ? shown(ratio, 2) : "NaN") : "–", stepped && ratio > 0.5),
      cell(output || app.state.activation !== "relu" ? "–" : `${dead} of ${l.units}`, dead > 0),
      cell(output || !["tanh", "sigmoid"].includes(app.state.activation) ? "–" : percent(flat), flat > 0.5),
      cell(output ? "–" : `${l.distinct} of ${l.units}`, !output && l.distinct < l.units && l.distinct > 0),
      cell(typeof l.mean === "number" ? `${shown(l.mean, 2)} ± ${shown(l.deviation, 2)}` : "not finite", typeof l.mean !== "number"));
  });
  $("table").tBodies[0].replaceChildren(...rows);
  const first = app.state.data === "digits" ? 0 : 1;  // column of layer 1
  report.layers.slice(0, -1).forEach((l, k) => network.units[k + first].forEach((unit, u) => {
    unit.className = `unit${l.dead[u] ? " dead" : l.flat[u] > 0.8 ? " flat" : ""}`;
    const label = `${unitName(k, u)}${l.dead[u] ? ": dead" : l.flat[u] > 0.8 ? ": saturated" : ""}`;
    if (unit.firstChild.title !== label) {
      unit.firstChild.title = label;
      unit.firstChild.setAttribute("aria-label", label);
    }
  }));
}

function sentence(report) {
  const accuracy = typeof report.train_accuracy === "number" ? `, ${percent(report.train_accuracy)} right` : "";
  const test = typeof report.test_accuracy === "number" ? `, ${percent(report.test_accuracy)} right` : "";
  if (app.state.data === "own") return `Step ${report.steps} · loss ${shown(report.train_loss)}${accuracy}`;
  return `Step ${report.steps} · epoch ${report.epochs} · training: loss ${shown(report.train_loss)}${accuracy} · test: loss ${shown(report.test_loss)}${test}`;
}

function show(report, said) {
  app.report = report;
  const {history} = app;
  history.push([report.steps, report.train_loss, app.state.data === "own" ? NaN : report.test_loss]);
  if (history.length > 600) app.history = history.filter((_, i) => i % 2 === 0 || i === history.length - 1);
  $("progress").textContent = sentence(report);
  paintAll(report);
  if (!said && app.frames % 4) return;  // what one reads need not change at every frame
  fillTable(report);
  drawLosses(app.history);
  $("picture").setAttribute("aria-label", app.state.data === "own"
    ? `Your points: ${app.state.points.length}. The arrow keys move the mark, Enter adds a point. ${sentence(report)}`
    : `What the network says. ${sentence(report)}`);
  if (said) $("status").textContent = sentence(report);
  showChanges();
  if (lens.open && said) showLens();
}

app.refresh = () => show(app.ask({do: "report"}), true);

// ---- training ----

function steps(count) {
  const report = app.ask({do: "step", count});
  if (report.train) app.train = report.train;
  return report;
}

function frame() {
  if (!app.playing) return;
  const speed = Number($("speed").value);
  let report;
  if (app.goal) {
    const end = performance.now() + 12;
    do report = steps(Math.min(20, app.goal - (report || app.report).steps));
    while (report.steps < app.goal && performance.now() < end);
  } else if (speed) {
    report = steps(speed);
  } else {
    const end = performance.now() + 12;
    do report = steps(3); while (performance.now() < end);
  }
  if (app.goal && report.steps >= app.goal) {
    app.report = report;
    return app.play(false);
  }
  show(report, false);
  ++app.frames;
  requestAnimationFrame(frame);
}

app.play = on => {
  if (app.playing === on) return;
  app.playing = on;
  app.goal = null;
  $("play").textContent = on ? "Pause" : "Play";
  if (on) requestAnimationFrame(frame);
  else show(app.report, true);
};

function oneStep() {
  app.play(false);
  show(steps(1), true);
}

function restart() {
  const on = app.playing;
  start(app.state, {preset: true, edited: true});
  if (on) app.play(true);
}

// ---- "why did that happen?" ----

function hidePreset() {
  app.preset = null;
  $("preset").hidden = true;
  for (const button of $("preset-buttons").children) button.setAttribute("aria-pressed", "false");
}

function run(state, count) {
  app.play(false);
  start(state, {preset: true});
  for (let done = 0; done < count;) {
    const now = Math.min(Math.ceil(count / 40), count - done);
    const report = steps(now);
    app.history.push([report.steps, report.train_loss, report.test_loss]);
    done += now;
  }
  app.refresh();
}

function choosePreset(preset) {
  hidePreset();
  run(preset.state, preset.steps);
  app.preset = preset;
  for (const button of $("preset-buttons").children) button.setAttribute("aria-pressed", String(button.dataset.name === preset.name));
  $("preset").hidden = false;
  $("preset-name").textContent = preset.title;
  for (const name of ["shows", "why", "mend", "chapter", "file"]) $(`preset-${name}`).textContent = preset[name];
  $("preset-more").open = false;
  $("preset-section").replaceChildren(make("h4", {}, preset.section), ...elementsOf(sectionOf(preset.file, preset.section)));
}

// ---- as C++ ----

function openCpp(open) {
  $("cpp").hidden = !open;
  if (!open) return $("open-cpp").focus();
  const answer = app.ask({do: "cpp"});
  $("cpp-text").textContent = answer.text || answer.error;
  $("cpp-title").focus();
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    $("status").textContent = `${what} is copied.`;
  } catch {
    $("status").textContent = `${what} could not be copied: the browser does not let us.`;
  }
}

// ---- points of one's own ----

const rounded = v => Math.round(Math.max(-edge, Math.min(edge, v)) * 100) / 100;

function addPoint(x, y) {
  const {state} = app;
  const points = [...(state.points || []), [rounded(x), rounded(y), Number($("own-class").value)]];
  const on = app.playing;
  app.play(false);
  if (start({...state, points}) && on) app.play(true);
}

function onPicture(event) {
  if (app.state.data !== "own") return;
  const box = $("picture").getBoundingClientRect();
  app.mark = [rounded((event.clientX - box.left) / box.width * 2 * edge - edge), rounded(edge - (event.clientY - box.top) / box.height * 2 * edge)];
  addPoint(...app.mark);
}

function onPictureKey(event) {
  if (app.state.data !== "own") return;
  const move = {ArrowLeft: [-0.25, 0], ArrowRight: [0.25, 0], ArrowUp: [0, 0.25], ArrowDown: [0, -0.25]}[event.key];
  if (!move && event.key !== "Enter") return;
  event.preventDefault();
  if (!move) return addPoint(...app.mark);
  app.mark = [rounded(app.mark[0] + move[0]), rounded(app.mark[1] + move[1])];
  $("status").textContent = `x ${app.mark[0]}, y ${app.mark[1]}`;
  paintAll(app.report);
}

// ---- all together ----

function listen() {
  const click = (id, act) => $(id).addEventListener("click", act);
  click("play", () => app.play(!app.playing));
  click("one", oneStep);
  click("restart", restart);
  click("open-lens", () => openLens(true));
  click("close-lens", () => openLens(false));
  click("take-step", oneStep);
  click("undo", undoChange);
  click("forget", () => start(app.state, {preset: true}));
  $("lens-rows").addEventListener("change", () => showLens());
  click("open-cpp", () => openCpp(true));
  click("close-cpp", () => openCpp(false));
  click("copy-cpp", () => copy($("cpp-text").textContent, "The program"));
  click("copy-link", () => copy(location.href, "The link"));
  click("mend", () => run(app.preset.mended, 1000));
  click("add-layer", () => start({...wanted(), hidden: [...app.state.hidden, 8]}));
  click("remove-layer", () => start({...wanted(), hidden: app.state.hidden.slice(0, -1)}));
  click("own-clear", () => start({...app.state, points: []}));
  form.addEventListener("submit", event => event.preventDefault());
  for (const name of ["data", "activation", "init", "optimizer", "loss", ...numeric]) field(name).addEventListener("change", changed);
  $("show-test").addEventListener("change", () => paintAll(app.report));
  $("picture").addEventListener("click", onPicture);
  $("picture").addEventListener("keydown", onPictureKey);
  for (const event of ["focus", "blur"]) $("picture").addEventListener(event, () => paintAll(app.report));
  addEventListener("hashchange", fromAddress);
  addEventListener("resize", () => paintAll(app.report));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours = palette();
    paintAll(app.report);
  });
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const act = {p: () => app.play(!app.playing), s: oneStep, r: restart, l: () => openLens(!lens.open)}[event.key];
    if (act) act();
  });
}

// The module's bytes, which the page carries compressed.
async function moduleBytes() {
  const packed = Uint8Array.from(atob($("engine").textContent), letter => letter.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

moduleBytes().then(wasmBinary => elk_play({wasmBinary})).then(module => {
  startEngine(module);
  app.choices = app.ask({do: "choices"});
  app.defaults = app.ask({do: "start", state: {}}).state;
  $("preset-buttons").replaceChildren(...app.ask({do: "presets"}).map(preset =>
    make("button", {"data-name": preset.name, "aria-pressed": "false", onclick: () => choosePreset(preset)}, preset.title)));
  fromAddress();
  listen();
  document.body.dataset.ready = "yes";
}).catch(error => {
  $("problem").hidden = false;
  $("problem").textContent = `The network cannot run in this browser: ${error.message || error}`;
});
