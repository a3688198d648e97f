// Where the reader is, and how the reader gets elsewhere.

const state = {step: 0, frame: 0, chosen: null, folded: new Map(), zoom: 0, images: true, timer: null, found: [], editor: null};
const step = () => prepared(trace.steps[state.step]);
const frame = () => step().frames[state.frame];
const isBackward = () => frame().pass === "backward" || frame().pass === "end";
const shownEntry = () => (state.chosen != null ? state.chosen : frame().entry);

function go(to) {
  state.frame = Math.max(0, Math.min(step().frames.length - 1, to));
  state.chosen = null;
  render();
}

// To a place; to a leaf, which has none, by choosing it there.
function goTo(place, entry) {
  go(place);
  if (frame().entry !== entry) choose(entry);
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

// "backward 3 of 8", of a frame that has an entry.
function passOf(s) {
  const {pass} = frame(), forward = s.operations.length;
  return pass === "forward" ? `forward ${state.frame} of ${forward}`
    : `backward ${state.frame - forward} of ${s.frames.length - forward - 2}`;
}

// To where an entry is computed, or, where the reader is on the way back, to where its gradient flows on.
function show(i) {
  const s = step();
  if (s.entries[i].kind !== "operation") {
    state.chosen = i;
    return render();
  }
  goTo(isBackward() && s.backwardAt[i] < Infinity ? s.backwardAt[i] : s.forwardAt[i], i);
}

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
  state.found = search(s, $("search").value);
  $("found").textContent = $("search").value.trim() ? `${state.found.length} found` : "";
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
  const says = f.pass === "start" ? ["start"] : f.pass === "end" ? ["end: all gradients are there"]
    : [make("b", {}, nameOf(s, f.entry)), whereOf(s, f.entry), " · ", make("span", {}, passOf(s))];
  $("caption").replaceChildren(...says);
  $("frame").setAttribute("aria-valuetext", $("caption").textContent);
  for (const id of ["first", "back"]) $(id).disabled = state.frame === 0;
  for (const id of ["next", "last"]) $(id).disabled = state.frame === s.frames.length - 1;

  $("step").value = state.step;
  const loss = s.loss != null ? `loss ${text(s.loss)}` : "";
  $("step-label").replaceChildren(make("b", {}, s.label), make("span", {}, loss));
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
  const points = losses.flatMap((v, k) => (v == null ? [] : [`${x(k).toFixed(1)},${y(v).toFixed(1)}`]));
  $("losses").replaceChildren(make("line", {x1: x(state.step), x2: x(state.step), y1: 0, y2: 26}),
    make("polyline", {points: points.join(" ")}));
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
  $("overview").toggleAttribute("hidden", name !== "graph");
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
    const folded = foldedGroups();
    if (folded.size) folded.clear();
    else foldable(trace.graphs[step().graph]).forEach(g => folded.add(g));
    drawing.graph = null;
    render();
  });
  const scale = by => { state.zoom = Math.max(0.2, Math.min(2.5, drawing.scale * by)); zoom(); };
  click("zoom-in", () => scale(1.2));
  click("zoom-out", () => scale(1 / 1.2));
  click("zoom-fit", () => { state.zoom = "all"; zoom(); });
  $("view-graph").addEventListener("scroll", () => overview());
  $("overview").addEventListener("pointerdown", lookAt);
  $("overview").addEventListener("pointermove", event => { if (event.buttons) lookAt(event); });
  $("search").addEventListener("input", () => render());
  $("search").addEventListener("keydown", event => {
    if (event.key === "Escape") $("search").value = "";
    if (event.key === "Enter" && state.found.length) {
      const at = state.found.indexOf(shownEntry()), step = event.shiftKey ? state.found.length - 1 : 1;
      const to = state.found[at < 0 ? 0 : (at + step) % state.found.length];
      show(to);
    }
    if (event.key === "Escape") render();
  });
  $("frame").addEventListener("input", () => { play(false); go(Number($("frame").value)); });
  $("step").addEventListener("input", () => goStep(Number($("step").value)));

  const tabs = ["graph", "tape", "parameters"];
  tabs.forEach((name, k) => {
    $(`tab-${name}`).addEventListener("click", event => {
      showTab(name);
      if (event.detail > 0) event.currentTarget.blur();  // by a pointer: the keys go on stepping
    });
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
    if (event.target.id === "search") return;
    if (tag === "INPUT" && (event.target.type === "text" || !["[", "]", " "].includes(event.key))) return;  // know their keys
    if (tag === "BUTTON" && (event.key === " " || event.key === "Enter")) return;
    const actions = {
      ArrowRight: () => { play(false); go(state.frame + 1); },
      ArrowLeft: () => { play(false); go(state.frame - 1); },
      Home: () => { play(false); go(0); },
      End: () => { play(false); go(Infinity); },
      "/": () => $("search").focus(),
      " ": () => play(!state.timer),
      "[": () => goStep(state.step - 1),
      "]": () => goStep(state.step + 1)
    };
    const act = actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours = palette();
    render();
  });
  addEventListener("resize", () => zoom());
}

function describe() {
  if (trace.network) {
    $("network").textContent = $("network").title = trace.network;
    document.title = `Trace of ${trace.network}`;
  }
  $("steps").hidden = trace.steps.length < 2;
  $("step").max = trace.steps.length - 1;
}

// For a page around this one that computes anew: another trace in place of this one, at the same place of the tape.
function showTrace(other) {
  trace = other;
  explained = new Map(Object.entries(trace.operations));
  state.step = Math.min(state.step, trace.steps.length - 1);
  state.frame = Math.min(state.frame, step().frames.length - 1);
  if (state.chosen >= step().entries.length) state.chosen = null;
  drawing.graph = null;
  const focused = document.activeElement && document.activeElement.getAttribute("aria-label");
  describe();
  render();
  const again = focused && document.querySelector(`#inspector [aria-label="${CSS.escape(focused)}"]`);
  if (again) again.focus();
}

// The same page may let numbers of leaves be changed: `change(name, element, value)` for those that `accepts(name)`.
function letChange(accepts, change) {
  state.editor = {accepts, change};
  render();
}

describe();
listen();
render();
