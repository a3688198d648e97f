// The page: asks the server what the network makes of the drawing, and shows its answer.
import {Drawing} from './drawing.js';
import {Gallery} from './gallery.js';
import {Training} from './training.js';
import {element, grouped, make, percent, showInk, showSigned, showUnits} from './pictures.js';

let model = {ready: false};
let tested = 0; // the number of the network that the gallery is of

const bars = Array.from({length: 10}, (_, digit) => {
  const fill = make('span', 'fill'), text = make('span', 'percent', '');
  const track = make('span', 'track', fill);
  track.setAttribute('aria-hidden', 'true');
  const row = make('li', '', make('span', 'name', String(digit)), track, text);
  element('bars').append(row);
  return {row, fill, text};
});
for (let digit = 0; digit < 10; ++digit) element('target').append(new Option(digit, digit));
let targetChosen = false; // by the user; else it is the next most probable digit

const drawing = new Drawing(element('canvas'), (done) => {
  element('placeholder').hidden = !drawing.empty;
  element('canvas').setAttribute('aria-label', `Drawing area, ${drawing.empty ? 'empty' : 'with a drawing'}`);
  element('undo').disabled = !drawing.canUndo;
  element('clear').disabled = drawing.empty;
  if (!drawing.empty) return ask(done);
  element('status').textContent = '';
  showNothing();
});
drawing.says = (text) => { element('status').textContent = text; };
drawing.clearsOnNewStroke = () => element('afresh').checked;

const gallery = new Gallery((pixels, label) => {
  drawing.pick(pixels);
  element('draw').scrollIntoView({block: 'nearest'});
  element('status').textContent = `A test image of ${label} is in the drawing area.`;
});

const training = new Training((ended) => loadModel(ended));

// What is asked: `wanted` is the next question's number; a question waits for the answer to the one before, and only the
// last of those that wait is asked.
let version = 0, answered = 0, explained = 0, finished = false, asking = false;

async function ask(done) {
  ++version;
  finished = done;
  if (asking) return;
  asking = true;
  try {
    while (model.ready && !drawing.empty && (answered < version || (finished && explained < version))) {
      const now = version, explain = answered === now, request = drawing.toRequest();
      if (explain) request.target = Number(element('target').value);
      const begin = performance.now();
      const response = await fetch(explain ? '/api/explain' : '/api/predict',
                                   {method: 'POST', body: JSON.stringify(request)});
      const answer = await response.json();
      if (explain) explained = now;
      answered = now;
      if (now !== version && drawing.empty) break; // it was cleared meanwhile
      if (!response.ok)
        showProblem(answer.error);
      else if (explain)
        showWhy(answer, request);
      else
        showPrediction(answer, request, performance.now() - begin);
    }
  } catch {
    showProblem('The server does not answer. Is ./elk demo still running?');
  } finally {
    asking = false;
  }
}

function showBars(probabilities, best) {
  bars.forEach(({row, fill, text}, digit) => {
    const share = probabilities ? probabilities[digit] : 0;
    fill.style.setProperty('--share', share);
    text.textContent = probabilities ? percent(share) : '';
    row.classList.toggle('best', digit === best);
  });
}

function showAnswer(text, sentence, sure = true) {
  element('digit').textContent = text ?? '–';
  element('answer').dataset.state = text === null ? 'empty' : sure ? 'answered' : 'unsure';
  element('sentence').textContent = sentence;
  if (text === null) element('glance').textContent = '';
}

function showNothing() {
  ++version;
  answered = explained = version;
  const waiting = model.ready ? 'Nothing is drawn yet.' : 'Nothing is drawn yet, and the network is being trained.';
  showAnswer(null, waiting);
  showBars(null, null);
  showInk(element('seen'), Array(784).fill(0), 255, 'What the network sees: nothing yet');
  showWhy(null);
}

function showProblem(message) {
  showAnswer(null, message);
  showBars(null, null);
}

const a = (digit) => `${digit === 8 ? 'an' : 'a'} ${digit}`;

const nextBest = (probabilities, best) =>
  probabilities.reduce((next, share, digit) =>
      digit !== best && (next === null || share > probabilities[next]) ? digit : next, null);

function showPrediction(answer, request, milliseconds) {
  const best = answer.class, share = percent(answer.probabilities[best]);
  const {sure, familiar} = answer, strange = familiar.distance > familiar.limit;
  showAnswer(best, sure ? `It is ${a(best)}, says the network: ${share}. It took ${milliseconds.toFixed(0)} ms.`
    : strange ? `I am not sure: this looks like no digit that I know. If it is one, it is ${a(best)}: ${share}.`
              : `I am not sure: ${a(best)} gets ${share} only.`, sure);
  element('glance').replaceChildren(make('b', '', String(best)), sure ? ` ${share}` : ` ${share}, but I am not sure`);
  element('answer').dataset.milliseconds = milliseconds;
  showBars(answer.probabilities, best);
  if (!targetChosen) element('target').value = nextBest(answer.probabilities, best);
  const seen = answer.image ?? request.pixels.map((value) => 255 * value);
  showInk(element('seen'), seen, 255, `What the network sees: your ${best}, scaled and centred in 28 by 28 pixels`);
  if (finished) element('status').textContent = `Prediction: ${best}, ${share}${sure ? '' : ', but not sure'}`;
}

// Why the network answers so; null: nothing is drawn, and everything stays at its place.
function showWhy(answer, request) {
  const blank = Array(784).fill(0), sizes = model.ready ? model.sizes.slice(1, -1) : [256];
  const name = answer ? answer.explained : 'the winner';
  element('why-state').textContent = answer ? `This is what the answer ${answer.class} comes from.`
                                            : 'Once something is drawn, here is what the answer comes from.';
  for (const winner of document.querySelectorAll('.winner')) winner.textContent = name;
  const ink = !answer ? blank : answer.image ? answer.image.map((value) => value / 255) : request.pixels;
  showSigned(element('gradient'), answer?.gradient ?? blank,
             answer ? `Where more ink would speak for or against ${name}, over the drawing` : 'Nothing yet', {ink});

  const layers = answer?.layers ?? sizes.map((size) => ({values: Array(size).fill(0)}));
  element('layers').replaceChildren(...layers.map(({values}, i) => {
    const active = values.filter((value) => value > 0).length;
    const text = `Layer ${i + 1}: ${grouped(active)} of ${grouped(values.length)} units above 0`;
    const canvas = make('canvas');
    showUnits(canvas, values, text);
    return make('div', 'layer', canvas, make('p', 'muted small', text));
  }));
  if (layers.length === 0)
    element('layers').append(make('p', 'muted small', 'This network has no hidden layers.'));

  const units = answer?.units ?? Array(layers.length === 0 ? 0 : 8).fill({index: '', weights: blank});
  element('units').replaceChildren(...units.map(({index, contribution, weights}) => {
    const canvas = make('canvas', 'picture');
    canvas.setAttribute('role', 'img');
    showSigned(canvas, weights, `Weights of unit ${index}`);
    return make('li', contribution > 0 ? 'for' : contribution < 0 ? 'against' : '', canvas, answer ? signed(contribution) : '–');
  }));
  element('units').parentElement.hidden = layers.length === 0;
  element('sum').textContent = answer ? describeSum(answer) : '';

  const pixels = answer?.change.pixels ?? blank;
  showInk(element('changed'), pixels, 1, answer ? `The image changed towards ${answer.change.target}` : 'Nothing yet');
  showSigned(element('difference'), pixels.map((value, i) => value - ink[i]),
             answer ? 'Ink added and taken away' : 'Nothing yet', {least: 0.2});
  element('change').textContent = answer ? describeChange(answer.change) : '';
}

const signed = (value) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;

// How the parts of the units add up to the logit.
function describeSum({units, others, rest, logit, layers}) {
  const shown = units.reduce((sum, {contribution}) => sum + contribution, 0);
  const more = (layers[0]?.values.length ?? 0) - units.length;
  const what = layers.length === 1 ? 'the bias' : 'biases and what is bent in later layers';
  return `Together: ${signed(shown)} from these, ${signed(others)} from the other ${grouped(Math.max(more, 0))} units, ` +
      `${signed(rest)} from ${what}. That is the logit, ${logit.toFixed(2).replace('-', '−')}.`;
}

function describeChange({target, reached, steps, probabilities}) {
  const share = percent(probabilities[target]);
  if (steps === 0) return `It is ${a(target)} already: ${share}.`;
  if (!reached) return `${steps} steps along the gradient bring it to ${share} only.`;
  return `${steps} small step${steps === 1 ? '' : 's'} along the gradient, and the network says ${target}: ${share}.`;
}

function describe({kind, dataset, sizes, activation, parameters, origin}) {
  const residual = kind === 'residual_mlp' ? ' (residual)' : '';
  const units = `${sizes.join(' → ')} units${residual}${sizes.length > 2 ? `, ${activation}` : ''}`;
  return `A network of ${units}, ${grouped(parameters)} parameters, for ${dataset}; ${origin}.`;
}

// Asks for the network of now, and asks it again about the drawing. `thorough`: looks at the test images as well.
async function loadModel(thorough) {
  const before = model;
  try {
    model = await (await fetch('/api/model')).json();
  } catch {
    return;
  }
  element('version').textContent = model.version.replace('elkgrad ', '');
  element('model').textContent = model.ready ? describe(model)
      : model.training ? 'A first network is being trained: it answers after its first epoch.'
                       : 'There is no network yet: train one below.';
  training.offer(model.datasets, model.dataset);
  if (!model.ready) return;
  if (drawing.empty)
    showNothing();
  else if (model.number !== before.number)
    ask(finished);
  if ((thorough || tested === 0) && tested !== model.number) {
    tested = model.number;
    await gallery.refresh();
  }
}

element('undo').addEventListener('click', () => drawing.undo());
element('clear').addEventListener('click', () => drawing.clear());
element('target').addEventListener('change', () => {
  targetChosen = true;
  if (drawing.empty) return;
  explained = -1;
  ask(true);
});
addEventListener('keydown', (event) => {
  if (event.target.closest('input:not([type="checkbox"]), select') || event.altKey) return;
  const command = event.ctrlKey || event.metaKey;
  if (event.key === 'Escape' && !command) drawing.clear();
  if (event.key === 'z' && command && !event.shiftKey) {
    event.preventDefault();
    drawing.undo();
  }
});

showNothing();
await loadModel(true);
if (model.run > 0) await training.watch();
