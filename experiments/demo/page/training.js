// Training: its form, and the curves of the run under way or of the last one.
import {element, grouped, percent} from './pictures.js';

const form = element('train'), state = element('train-state'), bar = element('progress');

function say(text, bad = false) {
  state.textContent = text;
  state.classList.toggle('bad', bad);
}

// For screen readers as well, which need not hear of every step, nor of a run that was over before they came.
function announce(text, bad = false) {
  say(text, bad);
  element('status').textContent = text;
}

// Server-sent events from a response, as they come: [name, object].
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split('\n\n');
    text = parts.pop();
    for (const part of parts) {
      const name = part.match(/^event: (.*)$/m), data = part.match(/^data: (.*)$/m);
      if (name && data) yield [name[1], JSON.parse(data[1])];
    }
  }
}

// A round step that cuts `range` into four or five parts: 1, 2 or 5 times a power of ten.
function roundStep(range) {
  const power = 10 ** Math.floor(Math.log10(range / 4));
  return [1, 2, 5, 10].find((factor) => factor * power >= range / 5) * power;
}

// Lines {name, values} into the graphic; the axis of values covers [low, high].
function draw(svg, lines, epochs, low, high) {
  const left = 40, right = 350, top = 8, bottom = 176;
  const tick = roundStep(high - low), decimals = Math.max(0, -Math.floor(Math.log10(tick) + 1e-9));
  const from = Math.floor(low / tick + 1e-9) * tick, to = Math.ceil(high / tick - 1e-9) * tick;
  const x = (epoch) => left + (right - left) * (epoch - 1) / Math.max(1, epochs - 1);
  const y = (value) => bottom - (bottom - top) * (value - from) / (to - from);
  const add = (name, attributes, text = '') => {
    const made = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    svg.append(made);
  };
  svg.replaceChildren();
  for (let value = from; value < to + tick / 2; value += tick) {
    add('line', {class: 'grid', x1: left, x2: right, y1: y(value), y2: y(value)});
    add('text', {x: left - 6, y: y(value) + 4, 'text-anchor': 'end'}, value.toFixed(decimals));
  }
  const step = Math.max(1, Math.ceil(epochs / 6));
  for (let epoch = 1; epoch <= epochs; epoch += step)
    add('text', {x: x(epoch), y: bottom + 18, 'text-anchor': 'middle'}, epoch);
  for (const {name, values} of lines) {
    const points = values.map((value, i) => [x(i + 1), y(value)]).filter(([, v]) => Number.isFinite(v));
    add('polyline', {class: `line ${name}`, points: points.map((point) => point.join()).join(' ')});
    for (const [cx, cy] of points) add('circle', {class: name, cx, cy, r: 2.5});
  }
}

function drawCurves(rows, epochs) {
  const pick = (name) => rows.map((row) => row[name] ?? NaN);
  const finite = (values) => values.filter(Number.isFinite);
  const train = pick('train_loss'), validation = pick('val_loss'), accuracy = pick('val_accuracy');
  const most = Math.max(0.05, ...finite(train), ...finite(validation));
  const least = Math.min(0.9, ...finite(accuracy));
  draw(element('loss'), [{name: 'train', values: train}, {name: 'validation', values: validation}], epochs, 0, most);
  draw(element('accuracy'), [{name: 'validation', values: accuracy}], epochs, least, 1);
  const last = rows.at(-1);
  const label = (name, text) => element(name).setAttribute('aria-label', text);
  label('loss', last ? `Loss after epoch ${last.epoch}: training ${last.train_loss?.toFixed(3)}, validation ${
      last.val_loss?.toFixed(3)}` : 'Loss by epoch: no epochs yet');
  label('accuracy', last ? `Accuracy after epoch ${last.epoch}: validation ${last.val_accuracy?.toFixed(3)}`
                         : 'Accuracy by epoch: no epochs yet');
}

export class Training {
  // Calls networkChanged() when another network answers.
  constructor(networkChanged) {
    this.networkChanged = networkChanged;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#start();
    });
    element('cancel').addEventListener('click', () => fetch('/api/train', {method: 'DELETE'}));
    form.elements.dataset.addEventListener('change', () => {
      form.elements.epochs.value = form.elements.dataset.value === 'digits' ? 12 : 4;
    });
    drawCurves([], 1);
  }

  // The data sets that can be chosen; `chosen` is that of the network.
  offer(datasets, chosen) {
    const select = form.elements.dataset;
    if (select.options.length === datasets.length) return;
    select.replaceChildren(...datasets.map((name) => new Option(name, name, false, name === chosen)));
    select.dispatchEvent(new Event('change'));
  }

  // Shows the run under way or the last one, and goes on to its end.
  async watch() { await this.#follow(await fetch('/api/train')); }

  async #start() {
    const {dataset, hidden, activation, epochs, vary} = form.elements;
    const options = {dataset: dataset.value, hidden: hidden.value.replaceAll(' ', ''), activation: activation.value,
                     epochs: Number(epochs.value)};
    if (!vary.checked) options.augment = '';
    const response = await fetch('/api/train', {method: 'POST', body: JSON.stringify(options)});
    if (!response.ok) return announce((await response.json()).error, true);
    await this.#follow(response, true);
  }

  async #follow(response, live = false) {
    const rows = [];
    let options = null, end = null;
    this.#running(true);
    try {
      for await (const [name, data] of eventsOf(response)) {
        if (name === 'start') {
          options = data;
          say(`Preparing ${data.dataset}…`);
          bar.value = 0;
          drawCurves(rows, data.epochs);
        } else if (name === 'progress') {
          live = true;
          bar.value = (data.epoch - 1 + data.batch / data.batches) / data.epochs;
          say(`${options.dataset}, epoch ${data.epoch} of ${data.epochs}: loss ${data.loss.toFixed(3)}`);
        } else if (name === 'epoch') {
          rows.push(data);
          drawCurves(rows, options.epochs);
          this.networkChanged(false);
        } else if (name === 'end') {
          end = data; // the last event
          break;
        }
      }
    } catch {
      // The connection is lost, or what came over it is no event: there is no end.
    }
    this.#running(false); // before the text: who reads of the end can start again
    if (end) this.#end(end, options, live ? announce : say);
    else announce('The connection to the server is lost. Is ./elk demo still running?', true);
    if (end?.status === 'replaced') return await this.watch();
    this.networkChanged(true);
  }

  #running(running) {
    element('start').disabled = running;
    element('cancel').hidden = !running;
  }

  #end(data, options, tell) {
    if (data.status === 'done') {
      bar.value = 1;
      tell(`Trained on ${options.dataset} in ${data.seconds.toFixed(1)} s: ${percent(data.test_accuracy)} of the ` +
           `test images right, ${grouped(data.parameters)} parameters, ${(data.flops / 1e9).toFixed(data.flops < 1e10 ? 2 : 0)} GFLOP.`);
    } else {
      bar.value = 0;
      const texts = {
        cancelled: 'The training was cancelled.',
        diverged: `The training diverged and was given up: ${data.problem}.`,
        failed: `The training failed: ${data.problem}`,
        replaced: 'Another training has begun.',
      };
      tell(texts[data.status], data.status === 'diverged' || data.status === 'failed');
    }
  }
}
