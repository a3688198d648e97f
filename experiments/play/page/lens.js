// One step under the lens: the page of a trace, in a frame, and what may be changed in it.

const lens = {open: false, ready: false, undo: []};

const lensRows = () => Number($("lens-rows").value);
const trained = name => /\.(weight|bias)$/.test(name);
// Labels of digits are no numbers of the tape.
const changeable = name => name === "x" || trained(name) || (name === "labels" && app.state.data !== "digits");

function askLens() {
  const answer = app.ask({do: "lens", rows: lensRows()});
  if (answer.error) {
    $("lens-note").textContent = answer.error;
    return null;
  }
  const [before, after] = answer.trace.steps;
  $("lens-note").textContent = `Loss of these examples: ${shown(before.loss, 5)}; after the update ${shown(after.loss, 5)}.`;
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

function changeNumber(tensor, element, value, undoing = false) {
  const answer = app.ask({do: "edit", rows: lensRows(), tensor, element, value});
  if (answer.error) {
    $("viewer").contentWindow.showTrace(askLens());
    $("lens-note").textContent = answer.error.replace(/^\[\w+\] /, "");
    return;
  }
  if (!undoing) lens.undo.push({tensor, element, value: answer.old, rows: lensRows()});
  $("undo").disabled = !lens.undo.length;
  app.train = answer.train;
  app.refresh();
  $("lens-note").textContent += undoing ? " The last change is undone." : ` ${tensor} was changed from ${shown(answer.old, 4)} to ${shown(value, 4)}.`;
}

function undoChange() {
  const {tensor, element, value, rows} = lens.undo.pop();
  $("lens-rows").value = String(rows);
  changeNumber(tensor, element, value, true);
}

// What was changed in a batch cannot be undone in the next one.
function forgetChanges() {
  lens.undo = [];
  $("undo").disabled = true;
}

function openLens(open) {
  lens.open = open;
  $("lens").hidden = !open;
  if (!open) return $("open-lens").focus();
  app.play(false);
  showLens();
  $("lens-title").focus();
}
