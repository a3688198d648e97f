// One step under the lens: the page of a trace, in a frame, and what may be changed in it.

const lens = {open: false, ready: false};

const lensRows = () => Number($("lens-rows").value);
const trained = name => /\.(weight|bias)$/.test(name);
// Labels of digits stand above the tape.
const changeable = name => name === "x" || trained(name) || (name === "labels" && app.state.data !== "digits");

function askLens() {
  const answer = app.ask({do: "lens", rows: lensRows()});
  if (answer.error) {
    $("lens-note").textContent = answer.error;
    return null;
  }
  const [before, after] = answer.trace.steps;
  $("lens-note").textContent = `Loss of these examples: ${shown(before.loss, 5)}; after the update ${shown(after.loss, 5)}.`;
  showLabels(answer.labels);
  return answer.trace;
}

function showLens() {
  const trace = askLens(), frame = $("viewer");
  frame.hidden = !trace;
  if (!trace) return;
  if (lens.ready) return frame.contentWindow.showTrace(trace);
  const page = JSON.parse($("viewer-page").textContent);
  frame.addEventListener("load", () => {
    lens.ready = true;
    frame.contentWindow.letChange(changeable, changeNumber);
  }, {once: true});
  frame.srcdoc = page.replace("/* data */", () => JSON.stringify(trace).replaceAll("<", "\\u003c"));
}

function changeNumber(tensor, element, value) {
  const answer = app.ask({do: "edit", rows: lensRows(), tensor, element, value});
  if (answer.error) {
    $("viewer").contentWindow.showTrace(askLens());
    $("lens-note").textContent = answer.error.replace(/^\[\w+\] /, "");
    return;
  }
  took(answer);
  $("lens-note").textContent += ` ${tensor} was changed from ${shown(answer.old, 4)} to ${shown(value, 4)}.`;
}

function undoChange() {
  took(app.ask({do: "undo"}));
  $("lens-note").textContent += " The last change is undone.";
}

// Numbers were changed: the state has them, and so has the address.
function took({edits, train}) {
  Object.assign(app, {train, state: {...app.state, edits}});
  toAddress();
  app.refresh();
}

// The digits that the examples should be, to be changed where they are few.
function showLabels(labels) {
  const few = app.state.data === "digits" && labels.length <= 8, focused = document.activeElement && document.activeElement.id;
  $("lens-labels").hidden = !few;
  if (!few) return;
  $("lens-labels").replaceChildren(make("legend", {}, "What the examples should be"), ...labels.map((label, i) =>
    make("label", {}, `example ${i + 1}`, make("input", {type: "number", id: `label-${i}`, min: 0, max: 9, step: 1, value: label,
      onchange: event => changeNumber("labels", i, Number(event.target.value))}))));
  if (focused && $(focused)) $(focused).focus();
}

// Where a number stands that was changed: "layer1.weight[0, 3]".
function placeOfEdit([, tensor, element]) {
  const {state} = app, inputs = state.data === "digits" ? 196 : state.features.length;
  if (tensor === "labels" || tensor.endsWith(".bias")) return `${tensor}[${element}]`;
  const layer = tensor === "x" ? 0 : tensor.startsWith("output") ? state.hidden.length : parseInt(tensor.slice(5), 10) - 1;
  const columns = layer ? state.hidden[layer - 1] : inputs;
  return `${tensor}[${Math.floor(element / columns)}, ${element % columns}]`;
}

// What was changed by hand, in this run.
function showChanges() {
  const edits = app.state.edits || [], {steps} = app.report, last = edits.slice(-3).reverse();
  $("changes").hidden = !edits.length;
  $("undo").disabled = !edits.some(edit => edit[0] === steps);
  if (!edits.length) return;
  const words = last.map(edit => `${placeOfEdit(edit)} = ${String(edit[3]).replace("-", "−")} ${edit[0] ? `after step ${edit[0]}` : "at the start"}`);
  const more = edits.length - last.length;
  $("changed").textContent = `Changed by hand: ${words.join("; ")}${more ? `; and ${more} more` : ""}.`;
}

function openLens(open) {
  lens.open = open;
  $("lens").hidden = !open;
  if (!open) return $("open-lens").focus();
  app.play(false);
  showLens();
  $("lens-title").focus();
}
