// The playground, opened from disk without a network, and served: every control, every preset, the lens both ways.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {axeFinds, flawless, launch, look, lowContrast, poorControls, screenshots, serve} from './browser.mjs';

let browser, folder, url;
const sizes = {desktop: {width: 1280, height: 900}, tablet: {width: 820, height: 1100}, phone: {width: 390, height: 844}};

// A test on the page, with a state in its address. Nothing is asked of a network: there is none.
const visit = (name, hash, options, test) => it(name, {timeout: 120_000}, () =>
  flawless(browser, url + hash, {offline: true, reducedMotion: 'reduce', ...options}, async (page) => {
    await page.waitForSelector('body[data-ready]', {timeout: 20_000});
    await test(page);
  }));

const text = (page, selector) => page.locator(selector).innerText();
const report = (page) => page.evaluate(() => app.ask({do: 'report'}));
const state = (page) => page.evaluate(() => app.state);
const viewer = (page) => page.frameLocator('#viewer');
const inViewer = (page) => page.frames().find((frame) => frame !== page.mainFrame());
const place = (page, to) => viewer(page).locator('#frame').fill(String(to));
const chosen = (page, name) => inViewer(page).evaluate((name) => choose(step().entries.findIndex((e) => e.name === name)), name);
const near = (a, b, what) => assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b)), `${what}: ${a} is not ${b}`);

async function set(page, control, value) {
  const one = page.locator(control);
  await ((await one.evaluate((node) => node.tagName)) === 'SELECT' ? one.selectOption(value) : one.fill(value));
  await one.dispatchEvent('change');
}

describe('the playground', () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'elk-play-'));
    execFileSync(process.env.ELK_PLAY, ['--out', folder, '--quiet']);
    url = `file://${join(folder, 'index.html')}`;
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await rm(folder, {recursive: true, force: true});
  });

  it('is one file below 2 MB that asks for nothing', async () => {
    const page = await readFile(join(folder, 'index.html'));
    assert.ok(page.length < 2_000_000, `${page.length} bytes`);
    assert.doesNotMatch(page.toString(), /(src|href)="(?!data:|#)/);
  });

  it('is ready within two seconds', {timeout: 60_000}, async () => {
    const page = await browser.newPage(), begin = performance.now();
    await page.goto(url);
    await page.waitForSelector('body[data-ready]');
    const seconds = (performance.now() - begin) / 1000;
    console.log(`ready after ${seconds.toFixed(2)} s`);
    await page.close();
    // Machines that test are busy; a laptop takes a fraction of this.
    assert.ok(seconds < 8, `${seconds} s`);
  });

  it('is served', {timeout: 60_000}, async () => {
    const {url: address, stop} = await serve(process.env.ELK_PLAY, []);
    await flawless(browser, address, {}, async (page) => {
      await page.waitForSelector('body[data-ready]');
      await page.click('#one');
      assert.match(await text(page, '#progress'), /^Step 1 /);
    });
    assert.equal(await stop(), 130);
  });

  visit('trains, pauses, takes one step, and starts again', '', {}, async (page) => {
    const before = (await report(page)).train_loss;
    await page.click('#play');
    await page.waitForFunction(() => app.report.steps > 300);
    await page.click('#play');
    const {steps, train_loss: loss} = await report(page);
    assert.ok(loss < before / 2, `${loss}`);
    await page.waitForTimeout(100);
    assert.equal((await report(page)).steps, steps);
    await page.click('#one');
    await page.keyboard.press('s');
    assert.equal((await report(page)).steps, steps + 2);
    await page.keyboard.press('p');
    await page.waitForFunction((steps) => app.report.steps > steps + 10, steps);
    await page.keyboard.press('p');
    await page.keyboard.press('r');
    assert.deepEqual([(await report(page)).steps, (await report(page)).train_loss], [0, before]);
  });

  visit('draws 30 frames a second of [2, 8, 8, 1]', '', {}, async (page) => {
    const times = await page.evaluate(() => Array.from({length: 80}, () => {
      const begin = performance.now();
      ++app.frames;
      show(steps(5), false);
      return performance.now() - begin;
    }).sort((a, b) => a - b));
    console.log(`a frame takes ${times[8].toFixed(1)} ms where nothing else runs, ${times[40].toFixed(1)} ms in the middle`);
    assert.ok(times[8] < 1000 / 30, `${times[8]} ms`); // where other tests run beside it, most are slower
  });

  visit('has a control for every part of the state, and each does what it says', '', {}, async (page) => {
    const words = await page.evaluate(() => app.choices);
    for (const name of ['activation', 'init', 'optimizer'])
      for (const word of words[name]) {
        await set(page, `[name=${name}]`, word);
        assert.equal((await state(page))[name], word);
        await page.click('#one');
        assert.equal((await report(page)).steps, 1);
      }
    for (const loss of words.loss.points) {
      await set(page, '[name=loss]', loss);
      assert.equal((await state(page)).loss, loss);
    }
    const numbers = {noise: 0.3, lr: 0.5, batch: 25, dropout: 0.2, weight_decay: 0.001, seed: 42};
    for (const [name, value] of Object.entries(numbers)) {
      await set(page, `[name=${name}]`, String(value));
      assert.equal((await state(page))[name], value);
    }
    await page.click('#add-layer');
    await set(page, '#units-2', '12');
    await set(page, '#units-0', '3');
    assert.deepEqual((await state(page)).hidden, [3, 8, 12]);
    assert.equal(await page.locator('.unit').count(), 2 + 3 + 8 + 12 + 1);
    for (let i = 0; i < 3; ++i) await page.click('#remove-layer');
    assert.deepEqual((await state(page)).hidden, []);
    await page.click('#add-layer');
    for (const feature of ['x2', 'y2', 'xy', 'sinx', 'siny']) await page.check(`#feature-${feature}`);
    await page.uncheck('#feature-y');
    assert.deepEqual((await state(page)).features, ['x', 'x2', 'y2', 'xy', 'sinx', 'siny']);
    await page.check('#show-test');
    await set(page, '#speed', '0');
    await page.click('#play');
    await page.waitForFunction(() => app.report.steps > 100);
    await page.click('#play');
    // What is refused says so and leaves the state.
    await set(page, '[name=lr]', '-1');
    assert.match(await text(page, '#problem'), /lr: expected a number from 0 to 1000/);
    assert.equal((await state(page)).lr, 0.5);
    assert.equal(await page.locator('[name=lr]').inputValue(), '-1');
    await set(page, '[name=lr]', '0.25');
    assert.equal(await page.locator('#problem').isVisible(), false);
    const address = await page.evaluate(() => location.hash);
    assert.match(address, /hidden=8&.*lr=0.25/);
  });

  visit('learns every data set, and shows it', '', {}, async (page) => {
    for (const data of ['moons', 'spiral', 'xor', 'curve', 'digits', 'circles']) {
      await set(page, '[name=data]', data);
      const before = (await report(page)).train_loss;
      await page.evaluate(() => { app.ask({do: 'step', count: 300}); app.refresh(); });
      const {train_loss: loss} = await report(page);
      assert.ok(loss < 0.95 * before, `${data}: ${before} to ${loss}`);
      assert.ok((await look(page, '#picture')).painted > 0.05, data);
      assert.ok((await look(page, '.unit canvas >> nth=1')).painted > 0.05, data);
    }
  });

  visit('takes points of one\'s own by mouse and by keyboard', '#data=own&hidden=4', {}, async (page) => {
    const picture = page.locator('#picture'), {width, height} = await picture.boundingBox();
    await picture.click({position: {x: width / 4, y: height / 4}});
    await picture.click({position: {x: 3 * width / 4, y: 3 * height / 4}});
    await set(page, '#own-class', '0');
    await picture.focus();
    for (const key of ['ArrowUp', 'ArrowUp', 'ArrowLeft', 'Enter']) await page.keyboard.press(key);
    const {points} = await state(page);
    assert.deepEqual(points.map((point) => point[2]), [1, 1, 0]);
    assert.ok(Math.abs(points[0][0] + 1.5) < 0.02 && Math.abs(points[0][1] - 1.5) < 0.02, points[0].join());
    near(points[2][1] - points[1][1], 0.5, 'two up');
    assert.match(await page.evaluate(() => location.hash), /points=-1.\d+,1.\d+,1;/);
    await page.click('#play');
    await page.waitForFunction(() => app.report.train_accuracy === 1);
    await page.click('#play');
    await page.click('#own-clear');
    assert.deepEqual((await state(page)).points, []);
    await page.click('#open-lens');
    assert.match(await text(page, '#lens-note'), /there are no examples/);
  });

  for (const name of ['exploding', 'vanishing', 'dead', 'saturated', 'symmetric'])
    visit(`shows ${name}, says why, names the chapter, and mends it`, '', {}, async (page) => {
      await page.click(`[data-name=${name}]`);
      const shown = await text(page, '#preset');
      assert.match(shown, /What you see\..*\n*[^]*Why\.[^]*What helps\.[^]*chapter \d\. .*docs\/course\/\d-/);
      // What the course says of it stands in the page.
      await page.click('#preset-more > summary');
      const [section] = (await page.evaluate(() => app.ask({do: 'presets'}))).filter((one) => one.name === name).map((one) => one.section);
      const more = await text(page, '#preset-section');
      assert.ok(more.startsWith(section) && more.length > 200, more);
      assert.doesNotMatch((await page.locator('#preset-section p').allInnerTexts()).join(), /```|\*\*|\]\(|<\/?details>|^\|/);
      assert.match(more, {exploding: /explode/, vanishing: /thousandth/, dead: /kills a quarter/, saturated: /1 - y²/, symmetric: /stay equal for ever/}[name]);
      assert.deepEqual(await axeFinds(page), []);
      const table = await text(page, '#table'), {layers, train_loss: loss} = await report(page);
      if (name === 'exploding') assert.ok(!(loss < 1e3), `${loss}`);
      if (name === 'vanishing') assert.ok(layers[0].gradient_norm < 1e-3 * layers.at(-1).gradient_norm);
      if (name === 'dead') assert.match(table, /8 of 8/);
      if (name === 'saturated') assert.ok(await page.locator('.unit.flat').count() > 0);
      if (name === 'symmetric') assert.match(table, /1 of 8/);
      await page.locator('#inside').scrollIntoViewIfNeeded();
      await page.screenshot({path: join(screenshots, `play-${name}.png`), fullPage: true});
      await page.click('#mend');
      assert.ok((await report(page)).train_accuracy > 0.9, name);
      await page.click('#restart');
      await set(page, '[name=seed]', '5');
      assert.equal(await page.locator('#preset').isVisible(), false);
    });

  visit('shows one step under the lens, forward and back', '#hidden=3&batch=4&optimizer=sgd&lr=0.5', {}, async (page) => {
    await page.evaluate(() => app.ask({do: 'step', count: 20}));
    await page.click('#open-lens');
    await viewer(page).locator('#caption').waitFor();
    const trace = (await page.evaluate(() => app.ask({do: 'lens', rows: 0}))).trace, {entries} = trace.steps[0];
    // Forward: every entry has the value that the engine computed.
    const operations = entries.filter((e) => e.kind === 'operation');
    for (let k = 1; k <= operations.length; ++k) {
      await place(page, k);
      assert.equal(await viewer(page).locator('#inspector h2').innerText(), operations[k - 1].operation);
      const shown = await viewer(page).locator('figure[data-tensor=y] [data-value]').evaluateAll((all) => all.map((node) => Number(node.dataset.value)));
      assert.deepEqual(shown, operations[k - 1].value.values);
    }
    // A cell of the product: its row times its column.
    await place(page, 1);
    const [x, w, b] = operations[0].inputs.map((i) => entries[i].value), y = operations[0].value;
    await viewer(page).locator('figure[data-tensor=y] td').nth(4).hover(); // y[1, 1]
    const made = await viewer(page).locator('.made').innerText();
    assert.match(made, /row 1 of x[^]*row 1 of W[^]*y\[1, 1\] = .* b\[1\] =/);
    const numbers = await viewer(page).locator('.made tbody tr').evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => Number(cell.innerText.replace('−', '-')))));
    near(x.values[2] * w.values[2] + x.values[3] * w.values[3] + b.values[1], y.values[4], 'the product');
    [x.values[2], x.values[3]].forEach((v, k) => assert.ok(Math.abs(numbers[0][k] - v) < 1e-3));
    [w.values[2], w.values[3]].forEach((v, k) => assert.ok(Math.abs(numbers[1][k] - v) < 1e-3));
    await viewer(page).locator('figure[data-tensor=y] .numbers').press('ArrowRight');
    assert.match(await viewer(page).locator('.made').innerText(), /y\[1, 2\] =/);
    await page.locator('#lens').screenshot({path: join(screenshots, 'play-lens-product.png')});
    // Back: the rules with their numbers.
    const names = operations.map((e) => e.operation), back = (name) => 2 * operations.length - names.lastIndexOf(name);
    await place(page, back('tanh'));
    assert.match(await viewer(page).locator('.flow .made').innerText(), /^dx\[0, 0\] = .* · \(1 − .*²\) = /);
    await place(page, back('linear'));
    assert.match(await viewer(page).locator('.flow .made').nth(1).innerText(), /column 0 of dy[^]*dW\[0, 0\] =/);
    await page.locator('#lens').screenshot({path: join(screenshots, 'play-lens-back.png')});
    // The update: w - lr · g, and what it changed.
    await chosen(page, 'output.weight');
    await place(page, 2 * operations.length + 1);
    await chosen(page, 'output.weight');
    assert.match(await viewer(page).locator('#inspector').innerText(), /w ← w − 0.5 · gradient[^]*w\[0, 0\] = .* − 0.5 · .* = /);
    assert.match(await text(page, '#lens-note'), /Loss of these examples: .*; after the update /);
    const before = trace.steps[0].loss;
    await page.click('#take-step');
    near((await report(page)).batch_loss, before, 'the step that was taken');
  });

  visit('computes everything again when a number under the lens is changed', '#hidden=3&batch=4', {}, async (page) => {
    await page.keyboard.press('l');
    await viewer(page).locator('#caption').waitFor();
    const loss = async () => (await page.evaluate(() => app.ask({do: 'lens', rows: lensRows()}))).trace.steps[0].loss;
    const first = await loss();
    for (const rows of ['0', '1', '4'])
      for (const name of ['layer1.weight', 'output.bias', 'x', 'labels']) {
        await set(page, '#lens-rows', rows);
        const before = await loss();
        await chosen(page, name);
        const input = viewer(page).locator('input.field').first(), old = await input.inputValue();
        await input.fill(name === 'labels' ? String(1 - Number(old)) : '1.25');
        await input.press('Enter');
        assert.notEqual(await loss(), before, name);
        assert.match(await text(page, '#lens-note'), new RegExp(`${name.replace('.', '\\.')} was changed from`));
        assert.equal(Number(await viewer(page).locator('input.field').first().inputValue()), name === 'labels' ? 1 - Number(old) : 1.25);
        await page.click('#undo');
        assert.equal(await loss(), before, name);
      }
    await set(page, '#lens-rows', '0');
    assert.equal(await loss(), first);
    await chosen(page, 'labels');
    await viewer(page).locator('input.field').first().fill('0.5');
    await viewer(page).locator('input.field').first().press('Enter');
    assert.match(await text(page, '#lens-note'), /labels: expected 0 or 1, got 0.5/);
    await viewer(page).locator('input.field').first().fill('many');
    await viewer(page).locator('input.field').first().press('Enter');
    assert.match(await viewer(page).locator('input.field').first().inputValue(), /^[01]$/);
    await page.click('#close-lens');
    assert.equal(await page.locator('#lens').isVisible(), false);
  });

  visit('has what was changed by hand in its address, which shows the same to others', '#data=xor&hidden=3&batch=4', {}, async (page) => {
    for (let k = 0; k < 5; ++k) await page.keyboard.press('s');
    await page.keyboard.press('l');
    await viewer(page).locator('#caption').waitFor();
    for (const [name, value] of [['x', '1.25'], ['output.weight', '-0.5']]) {
      await chosen(page, name);
      const input = viewer(page).locator('input.field').first();
      await input.fill(value);
      await input.press('Enter');
    }
    assert.match(await text(page, '#changes'), /^Changed by hand: output\.weight\[0, 0\] = −0\.5 after step 5; x\[\d+, 0\] = 1\.25 after step 5\./);
    await page.evaluate(() => { show(steps(60), true); });
    await chosen(page, 'layer1.bias');
    await viewer(page).locator('input.field').first().fill('2');
    await viewer(page).locator('input.field').first().press('Enter');
    const [address, expected] = [await page.evaluate(() => location.hash), await report(page)];
    assert.match(address, /&edits=5,x,\d+,1\.25;5,output\.weight,0,-0\.5;65,layer1\.bias,0,2$/);
    // The link goes to the step of the last change.
    await page.goto('about:blank');
    await page.goto(url + address);
    await page.waitForSelector('body[data-ready]');
    await page.waitForFunction(() => app.report.steps === 65 && !app.playing);
    assert.deepEqual(await report(page), expected);
    assert.match(await text(page, '#progress'), /^Step 65 /);
    assert.match(await text(page, '#changes'), /layer1\.bias\[0\] = 2 after step 65/);
    // The program has them, too.
    await page.click('#open-cpp');
    assert.match(await text(page, '#cpp-text'), /if \(step == 5\) x = index_put\(x, \{\d+, 0\}, 1\.25\);[^]*if \(step == 65\) put\(1, \{0\}, 2\);  \/\/ layer1\.bias/);
    await page.click('#close-cpp');
    // The same run again, and one without them.
    await page.keyboard.press('r');
    assert.equal((await report(page)).steps, 0);
    await page.evaluate(() => show(steps(65), true));
    assert.equal((await report(page)).train_loss, expected.train_loss);
    await page.keyboard.press('l');
    await page.click('#undo');
    assert.doesNotMatch(await page.evaluate(() => location.hash), /layer1\.bias/);
    assert.equal(await page.locator('#undo').isDisabled(), true);
    await page.click('#forget');
    assert.equal(await page.locator('#changes').isVisible(), false);
    assert.doesNotMatch(await page.evaluate(() => location.hash), /edits/);
    assert.deepEqual((await state(page)).edits, undefined);
  });

  visit('shows what units of digits see, and takes other labels', '#data=digits&hidden=12,6&activation=relu&init=he&lr=0.01&batch=32', {}, async (page) => {
    assert.equal(await page.locator('.unit').count(), 12 + 6 + 10);
    assert.match(await text(page, '#inside-note'), /pictures are its weights: .* made of the training images/);
    await page.evaluate(() => { app.ask({do: 'step', count: 300}); app.refresh(); });
    assert.ok((await report(page)).train_accuracy > 0.8);
    // The picture of each output is that of its own digit more than the others are.
    const right = await page.evaluate(() => {
      const [, , , output] = app.picture(), mean = k => app.digits.pixels.filter((v, i) => i % 196 === k).reduce((a, b) => a + b) / 40;
      const grey = Array.from({length: 196}, (_, k) => mean(k));
      const {pixels, labels} = app.digits;
      let right = 0;
      for (let digit = 0; digit < 10; ++digit) {
        const ink = Array(10).fill(0), count = Array(10).fill(0);
        labels.forEach((label, i) => {
          ++count[label];
          for (let k = 0; k < 196; ++k) ink[label] += (pixels[196 * i + k] - grey[k]) * output.at(digit, k);
        });
        const means = ink.map((v, c) => count[c] ? v / count[c] : -1e9);
        right += means.indexOf(Math.max(...means)) === digit;
      }
      return right;
    });
    assert.ok(right >= 5, `${right}`); // by chance it would be one
    for (const unit of [0, 13, 20]) assert.ok((await look(page, `.unit canvas >> nth=${unit}`)).painted > 0.2, `${unit}`);
    assert.match(await page.locator('.unit canvas >> nth=25').getAttribute('aria-label'), /^output for 7: images for it/);
    await page.locator('#inside').screenshot({path: join(screenshots, 'play-digits-units.png')});
    await page.click('#open-lens');
    await viewer(page).locator('#caption').waitFor();
    assert.equal(await page.locator('#lens-labels').isVisible(), false);
    await set(page, '#lens-rows', '4');
    const loss = async () => (await page.evaluate(() => app.ask({do: 'lens', rows: 4}))).trace.steps[0].loss;
    const before = await loss(), old = await page.locator('#label-1').inputValue();
    await page.locator('#label-1').fill(String((Number(old) + 1) % 10));
    await page.locator('#label-1').press('Enter');
    assert.notEqual(await loss(), before);
    assert.match(await text(page, '#changes'), /labels\[\d+\] = \d after step 300\./);
    await page.click('#undo');
    assert.equal(await loss(), before);
    assert.equal(await page.locator('#label-1').inputValue(), old);
    assert.deepEqual(await axeFinds(page), []);
    assert.deepEqual(await poorControls(page), []);
  });

  visit('gives the program in C++', '#data=spiral', {}, async (page) => {
    await page.click('#one');
    await page.click('#open-cpp');
    const program = await text(page, '#cpp-text');
    assert.match(program, /#include <elk\/elk\.hpp>[^]*spiral\(200, 0\.1, rng\)[^]*const int steps = 1;/);
    await page.click('#close-cpp');
  });

  visit('has the state in its address', '#data=xor&hidden=5,4&activation=relu&lr=0.2&features=x,y,xy&seed=9', {}, async (page) => {
    const {data, hidden, activation, lr, features, seed} = await state(page);
    assert.deepEqual({data, hidden, activation, lr, features, seed},
                     {data: 'xor', hidden: [5, 4], activation: 'relu', lr: 0.2, features: ['x', 'y', 'xy'], seed: 9});
    await page.evaluate(() => { location.hash = '#data=moons'; });
    await page.waitForFunction(() => app.state.data === 'moons' && app.state.hidden.join() === '8,8');
  });

  for (const [hash, says] of [['#data=cats', /data: expected circles/], ['#hidden=8,x', /hidden: expected a number/], ['#lr=', /./], ['#evil=<b>', /there is no "evil"/],
                              ['#points=1', /./], ['#edits=0,layer1.weight,99,1', /layer1\.weight has 16 numbers, and no number 99/], ['#edits=1', /edits: expected/],
                              ['#edits=0,%3Cb%3E,0,1', /there is no "<b>" to change/], ['#hidden=9999', /hidden: expected a number from 1 to 32/], ['#%E0%A4%A', /./], ['#loss=l1', /loss: expected/]])
    visit(`says what is wrong with the address ${hash}`, hash, {}, async (page) => {
      if (hash !== '#lr=' && hash !== '#points=1') assert.match(await text(page, '#problem'), says);
      await page.click('#one');
      assert.match(await text(page, '#progress'), /^Step 1 /);
    });

  for (const [size, viewport] of Object.entries(sizes))
    for (const colorScheme of ['light', 'dark'])
      visit(`is accessible on a ${size} in ${colorScheme}`, '#hidden=4,4&batch=4', {viewport, colorScheme}, async (page) => {
        await page.evaluate(() => { app.ask({do: 'step', count: 200}); app.refresh(); });
        await page.screenshot({path: join(screenshots, `play-${size}-${colorScheme}.png`), fullPage: true});
        await page.click('[data-name=dead]');
        await page.click('#open-lens');
        await viewer(page).locator('#caption').waitFor();
        await place(page, 3);
        await page.click('#open-cpp');
        assert.deepEqual(await axeFinds(page), []);
        assert.deepEqual(await lowContrast(page), []);
        assert.deepEqual(await poorControls(page), []);
        assert.deepEqual(await axeFinds(inViewer(page)), []);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
        await page.locator('#lens').scrollIntoViewIfNeeded();
        await page.screenshot({path: join(screenshots, `play-${size}-${colorScheme}-lens.png`)});
      });
});
