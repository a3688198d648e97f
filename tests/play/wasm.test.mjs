// The engine as WebAssembly answers as the native one does: the same requests to both, all numbers to 1e-6.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {before, describe, it} from 'node:test';

const path = process.env.ELK_PLAY_MODULE; // .js and .wasm
const require = createRequire(import.meta.url);

let module;
const ask = (request) => {
  const text = JSON.stringify(request), length = module.lengthBytesUTF8(text) + 1, at = module._malloc(length);
  module.stringToUTF8(text, at, length);
  const answer = JSON.parse(module.UTF8ToString(module._play_answer(at)));
  module._free(at);
  if (request.do !== 'picture' || answer.error) return [answer];
  const {offset, rows, columns} = answer.parts.at(-1), begin = module._play_picture() >> 2;
  return [answer, [...module.HEAPF32.subarray(begin, begin + offset + rows * columns)]];
};

const native = (requests) => {
  const lines = execFileSync(process.env.ELK_PLAY_ANSWERS, {
    input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''), maxBuffer: 1 << 28,
  }).toString().split('\n').filter((line) => line);
  return lines.map((line) => line.startsWith('{') || line.startsWith('[') ? JSON.parse(line) : line.trim().split(' ').map(Number));
};

let compared = 0;
function same(a, b, where) {
  if (typeof a === 'number' && typeof b === 'number') {
    ++compared;
    if (!(Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b)))) assert.fail(`${where}: ${a} is not ${b}`);
  } else if (a !== null && typeof a === 'object' && b !== null && typeof b === 'object') {
    assert.deepEqual(Object.keys(a), Object.keys(b), where);
    for (const key of Object.keys(a)) same(a[key], b[key], `${where}.${key}`);
  } else {
    assert.equal(a, b, where);
  }
}

function compare(requests, what) {
  const expected = native(requests), got = requests.flatMap(ask);
  assert.equal(got.length, expected.length, what);
  for (let i = 0; i < got.length; ++i) {
    if (got[i].trace) { // where the boxes stand is a matter of the layout, not of numbers
      delete got[i].trace.graphs;
      delete expected[i].trace.graphs;
    }
    same(got[i], expected[i], `${what}, answer ${i}`);
  }
}

// What a page asks of a state: how it starts, steps, a picture, the step under the lens, changes in it.
const session = (state, steps) => [
  {do: 'start', state}, {do: 'step', count: 1}, {do: 'step', count: steps}, {do: 'picture', size: 20}, {do: 'lens', rows: 0},
  {do: 'edit', rows: 4, tensor: 'x', element: 1, value: 0.5}, {do: 'edit', rows: 4, tensor: 'output.weight', element: 0, value: -0.25},
  {do: 'lens', rows: 4}, {do: 'edit', rows: 4, tensor: 'labels', element: 2, value: 1}, {do: 'undo'}, {do: 'step', count: 3}, {do: 'cpp'},
];

describe('the engine as WebAssembly', () => {
  before(async () => { module = await require(`${path}.js`)({wasmBinary: readFileSync(`${path}.wasm`)}); });

  it('has the same words and presets', () => compare([{do: 'choices'}, {do: 'presets'}], 'words'));

  for (const data of ['circles', 'moons', 'spiral', 'xor'])
    it(`learns ${data} with the same numbers`, () => compare(session({data}, 300), data));

  it('learns a curve, digits, and points of one\'s own with the same numbers', () => {
    compare(session({data: 'curve', loss: 'huber', features: ['x', 'sinx']}, 300), 'curve');
    compare(session({data: 'digits', hidden: [16], activation: 'relu', init: 'he', batch: 32, lr: 0.01}, 60), 'digits');
    compare(session({data: 'own', points: [[-1, -1, 0], [1, 1, 0], [-1, 1, 1], [1, -1, 1]], batch: 4}, 300), 'own');
  });

  it('has the same numbers with every activation, initialization, loss and optimizer', () => {
    const [choices] = ask({do: 'choices'});
    for (const member of ['activation', 'init', 'optimizer'])
      for (const word of choices[member])
        compare(session({data: 'moons', hidden: [6, 4], [member]: word, weight_decay: 0.01, dropout: 0.1}, 50), word);
    for (const loss of choices.loss.points) compare(session({data: 'circles', loss}, 50), loss);
  });

  it('shows the presets with the same numbers', () => {
    const [presets] = ask({do: 'presets'});
    for (const {state, name, steps, mended} of presets) {
      // What explodes magnifies the last digits as well: the first step has to be the same, and then that it explodes.
      const few = name === 'exploding' ? 1 : Math.min(steps, 60);
      compare([{do: 'start', state}, {do: 'step', count: few}], name);
      compare([{do: 'start', state: mended}, {do: 'step', count: 60}], `${name}, mended`);
    }
  });

  it('has the same numbers where some were changed by hand', () => {
    const edits = [[0, 'x', 7, 0.5], [3, 'labels', 12, 1], [3, 'layer1.weight', 1, -1], [20, 'output.bias', 0, 0.25]];
    for (const data of ['moons', 'digits']) compare(session({data, hidden: [6], edits}, 40), data);
  });

  it('refuses with the same words', () => compare([
    {do: 'step'}, {do: 'start', state: {lr: -1}}, {do: 'start', state: {data: 'cats'}}, {do: 'start', state: {}},
    {do: 'edit', tensor: 'nothing', element: 0, value: 1}, {do: 'edit', tensor: 'x', element: 1000, value: 1}, {do: 'dance'},
  ].slice(1), 'errors'));

  it('compared many numbers', () => assert.ok(compared > 100_000, `${compared}`));
});
