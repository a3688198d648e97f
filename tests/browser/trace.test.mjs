// The page of a Trace, opened from disk. What it shows is compared with what trace_page.cpp took from the tensors.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {axeFinds, flawless, launch, lowContrast, poorControls, screenshots} from './browser.mjs';

let browser, folder, small, large, odd, blocks;

// A test on a page as it opens.
const visit = (name, file, options, test) => it(name, {timeout: 180_000}, () =>
  flawless(browser, `file://${join(folder, file)}`, options, test));

const text = (page, selector) => page.locator(selector).innerText();
const shoot = (page, name) => page.screenshot({path: join(screenshots, `trace-${name}.png`)});
const scrub = (page, to) => page.locator('#frame').fill(String(to));

// All that is on the page: tensors with their numbers, as they are and as they are written, what flows, and the place.
const read = (page) => page.evaluate(() => {
  const list = (root, selector, of) => [...root.querySelectorAll(selector)].map(of);
  const value = (node) => ({is: Number(node.dataset.value), says: node.innerText});
  const inspector = document.querySelector('#inspector');
  if (/undefined|NaN ?%|\[object|null/.test(document.body.innerText)) throw Error(document.body.innerText);
  return {
    caption: document.querySelector('#caption').innerText,
    title: inspector.querySelector('h2').innerText,
    text: inspector.innerText,
    tensors: Object.fromEntries(list(inspector, 'figure', (figure) => [
      figure.dataset.tensor, list(figure, '[data-value]', value)])),
    flows: list(inspector, '.flow', (flow) => ({
      norm: Number(flow.querySelector('[data-norm]')?.dataset.norm),
      formula: flow.querySelector('.formula')?.innerText,
      numbers: list(flow, '[data-value]', value),
      words: flow.querySelector('.ways')?.innerText,
    })),
    checks: list(inspector, '.checks tbody tr', (row) => ({
      at: row.cells[0].innerText, numbers: list(row, '[data-value]', value), agrees: row.cells[3].innerText,
    })),
    now: list(document, '.node.now', (node) => Number(node.dataset.entry ?? -1)),
  };
});

// The numbers shown are these f32 numbers, and are written as such.
function same(shown, numbers, what) {
  assert.deepEqual(shown?.map(({is}) => Math.fround(is)), numbers, what);
  for (const {is, says} of shown) near(Number(says.replaceAll('−', '-')), is, 5e-3 * Math.abs(is), what);
}
const near = (a, b, error, what) => assert.ok(Math.abs(a - b) <= error, `${what}: ${a} is not ${b}`);
const norm = (numbers) => Math.sqrt(numbers.reduce((sum, v) => sum + v * v, 0));

// What the page of small.json has to show at a place: the operation's value, and on the way back its gradient.
const names = ['linear', 'tanh', 'isru', 'add', 'linear', 'sub', 'square', 'sum'];
const inputs = [['x', 'first.weight', 'first.bias'], [0], [1], [1, 2], [3, 'second.weight', 'second.bias'], [4, null], [5],
                [6]]; // operations by their place; null is a constant
async function expectPlace(page, place, step = 0) {
  const shown = await read(page), {operations, leaves} = small[step], count = names.length;
  const what = `place ${place} of step ${step + 1}`;
  if (place === 0 || place === 2 * count + 1) {
    assert.match(shown.caption, place ? /^end: all gradients/ : /^start$/);
    return assert.deepEqual(shown.now, []);
  }
  const back = place > count, i = back ? 2 * count - place : place - 1, {value, gradient} = operations[i];
  assert.equal(shown.title, names[i], what);
  assert.match(shown.caption, new RegExp(`${back ? `backward ${place - count}` : `forward ${place}`} of ${count}$`), what);
  assert.equal(shown.now.length, 1, what);
  same(shown.tensors.y, value, what);
  if (!back) return assert.deepEqual([shown.tensors.dy, shown.flows], [undefined, []], what);
  same(shown.tensors.dy, gradient, what);

  // What flows to each input: all of its gradient, or, to tanh, which two take, its part of it.
  const flows = inputs[i].map((input) => {
    if (input === null) return null;
    const whole = (typeof input === 'string' ? leaves[input] : operations[input]).gradient;
    if (input !== 1) return whole;
    const direct = operations[3].gradient;
    return i === 3 ? direct : whole.map((v, k) => v - direct[k]);
  });
  const total = flows.reduce((sum, flow) => sum + (flow ? norm(flow) : 0), 0);
  assert.equal(shown.flows.length, flows.length, what);
  flows.forEach((flow, k) => {
    const {norm: length, numbers} = shown.flows[k];
    if (!flow) return assert.ok(Number.isNaN(length) && numbers.length === 0, what);
    near(length, norm(flow), 1e-6 * total, what);
    numbers.forEach(({is}, at) => near(is, flow[at], 1e-6 * total, what));
    assert.equal(numbers.length, flow.length, what);
  });
  if (i === 1) assert.match(shown.text, /It is the sum of what 2 uses gave back: isru \(norm .*\), add \(norm /);
}

describe('the page of a trace', () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'elk-trace-'));
    execFileSync(process.env.ELK_TRACE_PAGE, [folder]);
    execFileSync(process.env.ELK_TRACE, ['--quiet', '--out-dir', join(folder, 'examples')]);
    [small, large, odd, blocks] = await Promise.all(['small', 'large', 'odd', 'blocks'].map(async (name) =>
      JSON.parse(await readFile(join(folder, `${name}.json`)))));
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, {recursive: true, force: true});
  });

  const last = 2 * names.length + 1;
  const ways = {
    'keys': [(page) => page.keyboard.press('ArrowRight'), (page) => page.keyboard.press('ArrowLeft')],
    'buttons': [(page) => page.click('#next'), (page) => page.click('#back')],
    'the scrubber': [(page, k) => scrub(page, k), (page, k) => scrub(page, k)],
  };
  for (const [way, [on, back]] of Object.entries(ways))
    visit(`is walked forward and back by ${way}: values and gradients are the tensors'`, 'small.html', {}, async (page) => {
      await expectPlace(page, 0);
      for (let k = 1; k <= last; ++k) await on(page, k).then(() => expectPlace(page, k));
      for (let k = last - 1; k >= 0; --k) await back(page, k).then(() => expectPlace(page, k));
    });

  visit('goes to the ends, and plays', 'small.html', {}, async (page) => {
    for (const [end, start] of [['End', 'Home'], ['#last', '#first']]) {
      await (end === 'End' ? page.keyboard.press(end) : page.click(end));
      await expectPlace(page, last);
      assert.equal(await page.locator('#next').isDisabled(), true);
      await (end === 'End' ? page.keyboard.press(start) : page.click(start));
      await expectPlace(page, 0);
      assert.equal(await page.locator('#back').isDisabled(), true);
    }
    await page.clock.install();
    await page.keyboard.press(' ');
    assert.equal(await page.locator('#play').getAttribute('aria-label'), 'Pause');
    await page.clock.runFor(3 * 1100);
    await expectPlace(page, 3);
    await page.click('#play');
    await page.clock.runFor(5 * 1100);
    await expectPlace(page, 3);
    await page.keyboard.press('ArrowRight'); // the button that was clicked does not hold the keys
    await expectPlace(page, 4);
    await page.click('#play');
    await page.clock.runFor(50 * 1100);
    await expectPlace(page, last);
    assert.equal(await page.locator('#play').getAttribute('aria-label'), 'Play');
  });

  visit('has every training step, by slider and by keys', 'small.html', {}, async (page) => {
    for (const [k, act] of [[1, () => page.keyboard.press(']')], [2, () => page.locator('#step').fill('2')],
                            [1, () => page.keyboard.press('[')], [0, () => page.locator('#step').press('ArrowLeft')]]) {
      await act();
      const [step, loss] = (await text(page, '#step-label')).split('\n');
      assert.equal(step, `step ${k + 1}`);
      near(Number(loss.replace('loss ', '')), small[k].operations.at(-1).value[0], 5e-3, loss);
      for (const place of [1, 5, last - 6, last - 1]) {
        await scrub(page, place);
        await expectPlace(page, place, k);
      }
    }
  });

  visit('shows leaves, and the gradients of parameters beside finite differences', 'small.html', {}, async (page) => {
    const {leaves} = small[0], entries = await page.locator('.node.leaf').count();
    assert.equal(entries, 6);
    for (const place of [0, last])
      for (let k = 0; k < entries; ++k) {
        await scrub(page, place);
        await page.locator('.node.leaf').nth(k).click();
        const shown = await read(page), leaf = leaves[shown.title], parameter = shown.title.includes('.');
        if (shown.title === 'constant') {
          same(shown.tensors.value, [0, 1, 1, 0], 'target');
          assert.match(shown.text, /no.*gradient|nobody asked for its gradient/);
          continue;
        }
        same(shown.tensors.value, leaf.value, shown.title);
        if (!place) {
          assert.match(shown.text, /Not yet there at this place\./);
          assert.deepEqual([shown.tensors.gradient, shown.checks], [undefined, []]);
          continue;
        }
        same(shown.tensors.gradient, leaf.gradient, shown.title);
        assert.equal(shown.checks.length > 0, parameter, shown.title);
        for (const {at, numbers: [tape, difference], agrees} of shown.checks) {
          const indices = at.match(/\d+/g).map(Number), row = {'first.weight': 2, 'second.weight': 3}[shown.title] ?? 0;
          const gradient = leaf.gradient[indices.length > 1 ? indices[0] * row + indices[1] : indices[0]];
          assert.equal(Math.fround(tape.is), gradient, `${shown.title}${at}`);
          near(difference.is, gradient, 1e-5 * norm(leaf.gradient), `${shown.title}${at}`);
          assert.equal(agrees, '✓');
        }
      }
    await shoot(page, 'leaf');
  });

  visit('has tabs, by mouse and by keys, that lead to entries', 'small.html', {}, async (page) => {
    const panel = (name) => page.locator(`#view-${name}`);
    await page.click('#tab-parameters');
    await page.keyboard.press('ArrowRight'); // after a click the keys still step
    await expectPlace(page, 1);
    assert.equal(await panel('parameters').isVisible(), true);
    await page.click('#tab-tape');
    assert.deepEqual(await page.locator('#view-tape tbody button').allInnerTexts(), names);
    await page.locator('#view-tape tbody button').nth(2).click();
    await expectPlace(page, 3);
    await page.keyboard.press('End');
    const norms = await page.locator('#view-tape tbody td:last-child').allInnerTexts();
    norms.forEach((says, i) => near(Number(says), norm(small[0].operations[i].gradient), 5e-3 * Number(says), names[i]));
    await page.locator('#view-tape tbody button').nth(2).click();
    await expectPlace(page, last - 3);
    await page.focus('#tab-tape');
    await page.keyboard.press('ArrowRight');
    assert.deepEqual(await Promise.all(['graph', 'tape', 'parameters'].map((name) => panel(name).isVisible())),
                     [false, false, true]);
    await expectPlace(page, last - 3); // the keys were the tabs'
    assert.deepEqual(await page.locator('#view-parameters tbody button').allInnerTexts(),
                     ['x', 'first.weight', 'first.bias', 'second.weight', 'second.bias']);
    assert.match(await text(page, '#view-parameters'), /first\.weight\s+\(3, 2\)\s+not yet/);
    await scrub(page, last);
    assert.match(await text(page, '#view-parameters'), /first\.weight\s+\(3, 2\)\s+\d[\d.]*\s+✓ to \d+ digits/);
    await page.click('#view-parameters tbody button >> nth=1');
    assert.equal((await read(page)).title, 'first.weight');
  });

  visit('folds modules into boxes and opens them', 'small.html', {}, async (page) => {
    const nodes = () => page.locator('.node[data-entry]').count();
    const hidden = () => page.evaluate(() => { // edges that a box covers
      const boxes = [...document.querySelectorAll('.node rect')].map((rect) => rect.getBBox());
      return [...document.querySelectorAll('.edge')].filter((edge) => [0.1, 0.3, 0.5, 0.7, 0.9].some((at) => {
        const {x, y} = edge.getPointAtLength(at * edge.getTotalLength());
        return boxes.some((box) => x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height);
      })).length;
    });
    const all = await nodes();
    assert.equal(all, 14);
    await page.keyboard.press('ArrowRight');
    await page.click('.toggle[data-group="1"]');
    assert.equal(await nodes(), all - 3);
    assert.match(await page.locator('.node.folded').textContent(), /▸ first · Linear\(2, 3\) 1 operation$/);
    assert.equal(await page.locator('.node.folded').evaluate((box) => box.classList.contains('now')), true);
    await expectPlace(page, 1);
    await page.keyboard.press('Enter'); // the focus stayed on what was folded
    assert.equal(await nodes(), all);
    assert.equal(await hidden(), 0);
    await page.click('#fold');
    assert.equal(await page.locator('.node.folded').count(), 2);
    assert.equal(await hidden(), 0);
    await shoot(page, 'folded');
    await page.click('#fold');
    assert.equal(await nodes(), all);
  });

  visit('shows large tensors by statistics and a sample that tells its numbers', 'large.html', {}, async (page) => {
    const {leaves, operations} = large[0], {value} = leaves.many;
    await page.click('.node.leaf:has-text("many")');
    assert.match(await text(page, '#inspector figcaption'), /^value\s*f32 \(64, 200\)\s*40 of 64 rows$/);
    const mean = value.reduce((sum, v) => sum + v, 0) / value.length;
    const facts = [Math.min(...value), Math.max(...value), mean, norm(value.map((v) => v - mean)) / Math.sqrt(value.length),
                   norm(value)];
    const says = (await text(page, 'p.readout')).replaceAll('−', '-').match(/-?\d[\d.]*(e-?\d+)?/g).map(Number);
    facts.forEach((fact, k) => near(says[k], fact, 1e-3 * Math.abs(fact), 'statistics'));

    const look = async (selector, numbers, width) => {
      const map = page.locator(selector), box = await map.boundingBox();
      const [w, h] = await map.evaluate((canvas) => [canvas.width, canvas.height]);
      const most = numbers.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      for (const [x, y] of [[0, 0], [w - 1, 0], [w >> 1, h >> 1], [3, h - 2], [w - 1, h - 1]]) {
        await page.mouse.move(box.x + (x + 0.5) / w * box.width, box.y + (y + 0.5) / h * box.height);
        const readout = (await text(page, '.scale .readout')).replaceAll('−', '-');
        const [, row, column, number] = readout.match(/^\[(\d+), (\d+)\] = (.*)$/);
        const is = numbers[row * width + Number(column)];
        near(Number(number), is, 1e-5 * Math.abs(is) + 1e-9, `[${row}, ${column}]`);
        // Blue above 0, orange below, as in the demo.
        const [red, , blue] = await map.evaluate((canvas, [x, y]) => {
          const copy = new OffscreenCanvas(1, 1).getContext('2d');
          copy.drawImage(canvas, -x, -y);
          return [...copy.getImageData(0, 0, 1, 1).data];
        }, [x, y]);
        if (Math.abs(is) > 0.1 * most) assert.equal(blue > red, is > 0, `colour of ${is}`);
      }
      return [w, h];
    };
    assert.deepEqual(await look('#inspector canvas', value, 200), [200, 40]);
    await shoot(page, 'large');
    await page.keyboard.press('ArrowRight');
    assert.deepEqual(await look('#inspector canvas', operations[0].value, 8), [8, 64]);

    // The rule is wrong, and the page tells.
    await page.keyboard.press('End');
    assert.match(await text(page, '#inspector'), /linear\.weight.*✗ differs/s);
    await page.click('.node.leaf:has-text("weight")');
    const {checks} = await read(page);
    for (const {numbers: [tape, difference], agrees} of checks) {
      near(tape.is / difference.is, 1.5, 1e-4, 'the wrong factor');
      assert.equal(agrees, '✗');
    }
    assert.ok(checks.length > 1);
  });

  visit('explains operations of one\'s own', 'small.html', {}, async (page) => {
    await scrub(page, last - 3);
    const {text: says} = await read(page);
    for (const words of ['dx = dy / (1 + x²)^1.5', 'Less and less passes further out.', 'y = x / √(1 + x²)',
                         'Brings any number between −1 and 1.'])
      assert.ok(says.includes(words), words);
    await scrub(page, 1);
    assert.ok((await read(page)).text.includes('y = x Wᵀ + b'));
  });

  visit('tells of numbers that are not finite, and takes names for text', 'odd.html', {}, async (page) => {
    const {operations, leaves} = odd[0], shown = async (tensor) => (await read(page)).tensors[tensor].map(({says}) => says);
    const written = (numbers) => numbers.map((v) => String(v).replace('Infinity', '∞'));
    // The start leads to where they begin.
    assert.match(await text(page, '.warning'), /Not all numbers of this step are finite\. The first such is in the value of sqrt/);
    await page.click('.warning .link');
    assert.match((await read(page)).caption, /^sqrt .*forward 1 of 3$/);
    assert.deepEqual(await shown('y'), written(operations[0].value));
    assert.match(await text(page, '.warning'), /not finite\. It is the first on the tape/);
    await page.keyboard.press('ArrowRight');
    assert.match(await text(page, '.warning'), /The first on the tape to have such is sqrt/);
    await page.keyboard.press('End');
    await page.click('.node.leaf:has-text("w")');
    assert.deepEqual(await shown('gradient'), written(leaves.w.gradient));
    assert.ok(leaves.w.gradient.includes('Infinity'));
    assert.equal(await page.locator('.node.leaf').filter({hasText: 'script'}).textContent(), '</script><b>x</b>(3)');
    assert.equal(await page.locator('b:text-is("x")').count(), 0);
  });

  visit('tells what is copied, what is added up, and over what', 'blocks.html', {}, async (page) => {
    // The first operation adds a bias (4) to rows (6, 4); going back, it comes last.
    const {operations, leaves} = blocks[0], end = Number(await page.locator('#frame').getAttribute('max')), count = (end - 1) / 2;
    await scrub(page, 2 * count);
    const {flows, text: says} = await read(page);
    assert.deepEqual(flows.map(({formula}) => formula), ['da = dy', 'db = dy summed over the 6 rows']);
    assert.match(flows[0].words, /^A copy of dy/);
    assert.equal(flows[1].words, 'It was stretched over the 6 rows; the gradients of all copies are added up.');
    assert.match(says, /The gradient is copied, not divided: each side gets all of it\./);
    assert.doesNotMatch(says, /%/);
    const sums = [0, 1, 2, 3].map((k) => operations[0].gradient.filter((v, i) => i % 4 === k).reduce((a, b) => a + b, 0));
    sums.forEach((v, k) => near(leaves.bias.gradient[k], v, 1e-5, 'summed'));
    await scrub(page, count + 1); // the loss, a sum
    assert.match((await read(page)).flows[0].words, /^A copy of dy for each of the 24 elements that were added\.$/);
    await scrub(page, 2 * count);
    await shoot(page, 'copied');
  });

  visit('shows what the update did', 'blocks.html', {}, async (page) => {
    await page.keyboard.press('End');
    await page.click('#tab-parameters');
    assert.match(await text(page, '#view-parameters thead'), /moved by, until step 2/);
    await page.locator('#view-parameters tbody button', {hasText: /^bias$/}).click();
    assert.match(await text(page, '#inspector'), /The update, from step 1 to step 2\s+w ← w − 0\.1 · gradient/);
    const {tensors} = await read(page), {value, gradient} = blocks[0].leaves.bias;
    tensors.change.forEach(({is}, k) => {
      near(is, blocks[1].leaves.bias.value[k] - value[k], 1e-6, 'change');
      near(is, -0.1 * gradient[k], 1e-6, 'change');
    });
    await page.keyboard.press(']');
    await page.keyboard.press(']');
    assert.doesNotMatch(await text(page, '#inspector'), /The update/); // of the last step nobody knows
  });

  visit('finds entries, and says how many', 'blocks.html', {}, async (page) => {
    await page.keyboard.press('/');
    await page.keyboard.type('tanh');
    assert.equal(await text(page, '#found'), '2 found');
    assert.equal(await page.locator('.node.found').count(), 2);
    await page.keyboard.press('Enter');
    assert.match((await read(page)).caption, /^tanh in block1 /);
    await page.keyboard.press('Enter');
    assert.match((await read(page)).caption, /^tanh in block2 /);
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('.node.found').count(), 0);
  });

  visit('fits the graph in both directions, and shows in small which part is seen', 'blocks.html',
        {viewport: {width: 1000, height: 420}, reducedMotion: 'reduce'}, async (page) => {
    const pane = () => page.locator('#view-graph').evaluate((node) =>
      [node.scrollWidth - node.clientWidth, node.scrollHeight - node.clientHeight, node.scrollTop]);
    assert.ok((await pane())[1] > 100, 'there is more than one sees');
    assert.equal(await page.locator('#overview').isVisible(), true);
    const box = await page.locator('#overview').boundingBox();
    await page.mouse.click(box.x + box.width / 2, box.y + box.height - 2);
    assert.ok((await pane())[2] > 50);
    await shoot(page, 'overview');
    await page.click('#zoom-fit');
    const [right, down] = await pane();
    assert.ok(right <= 0 && down <= 0, `${right}, ${down}`);
    assert.equal(await page.locator('#overview').isVisible(), false);
    await shoot(page, 'fit');
  });

  visit('shows residual ways of folded modules, and no edge across a title', 'blocks.html', {}, async (page) => {
    assert.equal(await page.locator('.edge.around').count(), 0);
    const crossed = await page.evaluate(() => [...document.querySelectorAll('.toggle:not(.node) text')].filter((title) => {
      const box = title.getBBox();
      return [...document.querySelectorAll('.edge')].some((edge) => {
        for (let k = 0; k <= 200; ++k) {
          const {x, y} = edge.getPointAtLength(k / 200 * edge.getTotalLength());
          if (x > box.x + 1 && x < box.x + box.width - 1 && y > box.y && y < box.y + box.height) return true;
        }
        return false;
      });
    }).map((title) => title.textContent));
    assert.deepEqual(crossed, []);
    await shoot(page, 'titles');
    await page.click('#fold');
    assert.equal(await page.locator('.edge.around').count(), 2);
    await shoot(page, 'residual');
  });

  const dark = {colorScheme: 'dark'};
  const phone = {viewport: {width: 360, height: 740}, deviceScaleFactor: 2, isMobile: true, hasTouch: true};
  for (const [name, options] of Object.entries({light: {}, dark, phone, 'dark phone': {...phone, ...dark}}))
    visit(`is readable and fits: ${name}`, 'small.html', options, async (page) => {
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background.match(/\d+/)[0] < 100, name.includes('dark'));
      for (const tab of ['graph', 'tape', 'parameters'])
        for (const place of [0, 3, last - 4, last]) {
          await page.click(`#tab-${tab}`);
          await scrub(page, place);
          assert.deepEqual(await lowContrast(page), [], `${tab}, place ${place}`);
          assert.deepEqual(await poorControls(page), [], `${tab}, place ${place}`);
          if (place !== 3) assert.deepEqual(await axeFinds(page), [], `${tab}, place ${place}`);
          assert.deepEqual(await page.evaluate(() => { // parts that leave the window
            const parts = document.querySelectorAll('header *, .tabs *, footer *, .view, .view table, #inspector table.list');
            return [...parts].filter((part) => part.checkVisibility() && part.getBoundingClientRect().right > innerWidth)
                .map((part) => part.id || part.className).concat(document.documentElement.scrollWidth > innerWidth ? 'page' : []);
          }), [], `${tab}, place ${place}`);
          if (place === last - 4) await shoot(page, `${name}-${tab}`);
        }
    });

  for (const example of ['xor', 'softmax', 'custom'])
    visit(`of ./elk trace ${example} is sound at every place`, `examples/${example}/trace.html`, {}, async (page) => {
      const [steps, until] = await Promise.all(['#step', '#frame'].map((id) =>
        page.locator(id).evaluate((input) => Number(input.max))));
      for (let s = 0; s <= steps; ++s) {
        await page.locator('#step').fill(String(s));
        for (let k = 0; k <= until; ++k) {
          await scrub(page, k);
          const {title, now} = await read(page);
          assert.equal(now.length, k > 0 && k < until ? 1 : 0, title);
        }
      }
      assert.match(await text(page, '#inspector'), /✓/);
      assert.deepEqual(await axeFinds(page), []);
    });
});
