// The demo's page: drawing, prediction, explanation, training, gallery.
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {axeFinds, flawless, launch, look, lowContrast, open, poorControls, screenshots, serve} from './browser.mjs';
import {digits, draw, scribbles, styled, styles} from './strokes.mjs';

let browser, demo;

// A test on the page as a visitor finds it.
const visit = (name, options, test, timeout = 180_000) => it(name, {timeout}, () => flawless(browser, demo.url, options, test));

const text = (page, selector) => page.locator(selector).innerText();
const until = (page, selector, pattern, timeout = 20_000) =>
  page.waitForFunction(([selector, source]) => new RegExp(source).test(document.querySelector(selector).textContent),
                       [selector, pattern.source], {timeout});
const shoot = (page, name) => page.screenshot({path: join(screenshots, `demo-${name}.png`), fullPage: true});
const painted = async (page, selector) => (await look(page, selector)).painted;
const points = (page, name) => page.locator(`#loss circle.${name}`).count();

// What was asked of the server from here on.
function asked(page) {
  const list = [];
  page.on('request', (request) => list.push(new URL(request.url()).pathname));
  return list;
}

describe('the page', () => {
  before(async () => {
    browser = await launch();
    demo = await serve(process.env.ELK_DEMO, ['--seed', '1']);
  });
  after(async () => {
    await browser?.close();
    assert.equal(await demo?.stop(), 130);
  });

  visit('shows the first training, and its network from the first epoch on', {}, async (page) => {
    await until(page, '#model', /A network of 784 → 256 → 10 units, relu, 203,530 parameters, for digits; trained here/);
    await draw(page, digits[0]);
    await until(page, '#digit', /[0-9]/);
    await until(page, '#train-state', /^Trained on digits in .* s: 9\d\.\d\s% of the test images right/, 120_000);
    assert.equal(await points(page, 'train'), 12);
    assert.equal(await points(page, 'validation'), 12);
    assert.match(await page.locator('#loss').getAttribute('aria-label'), /^Loss after epoch 12: training 0\.\d+, /);
    assert.equal(await page.locator('#progress').evaluate((bar) => bar.value), 1);
    await until(page, '#model', /12 epochs/);
  });

  visit('tells digits drawn by mouse', {}, async (page) => {
    const before = await page.locator('#prediction').boundingBox();
    for (const [digit, strokes] of Object.entries(digits)) {
      await draw(page, strokes);
      await until(page, '#why-state', new RegExp(`the answer ${digit} comes`)); // all strokes are answered by then
      await until(page, '#status', new RegExp(`^Prediction: ${digit}, `));
      await until(page, '#digit', new RegExp(`^${digit}$`));
      if (digit === '7') await shoot(page, 'light');
      await page.click('#clear');
    }
    assert.deepEqual(await page.locator('#prediction').boundingBox(), before, 'the layout stays');
  });

  visit('shows true probabilities, the winner in green, and why', {}, async (page) => {
    await draw(page, digits[3]);
    await until(page, '#why-state', /the answer 3 comes/);
    const bars = await page.locator('#bars li').evaluateAll((rows) => rows.map((row) => ({
      text: row.querySelector('.percent').textContent,
      share: Number(row.querySelector('.fill').style.getPropertyValue('--share')),
      colour: getComputedStyle(row.querySelector('.fill')).backgroundColor,
    })));
    assert.equal(bars.length, 10);
    assert.ok(Math.abs(bars.reduce((sum, {share}) => sum + share, 0) - 1) < 1e-6);
    const best = bars.reduce((best, bar) => bar.share > best.share ? bar : best);
    assert.equal(best, bars[3]);
    assert.equal(best.colour, 'rgb(23, 115, 47)');
    assert.ok(bars.every((bar) => bar === best || bar.colour !== best.colour));
    for (const {text, share} of bars)
      assert.equal(text.replace(/\s/, ' '), share < 0.001 ? '<0.1 %' : share > 0.999 ? '>99.9 %'
                                                                        : `${(100 * share).toFixed(1)} %`);
    for (const picture of ['#seen', '#gradient', '#changed', '#difference', '#layers canvas', '#units li canvas'])
      assert.ok(await painted(page, `${picture} >> nth=0`) > 0.05, picture);
    assert.equal(await page.locator('#units li').count(), 8);
    // The units' parts, of both signs, and the rest add up to the logit.
    const parts = (await page.locator('#units li').allInnerTexts()).map((part) => Number(part.replace('−', '-')));
    assert.ok(parts.every((part, i) => i === 0 || Math.abs(part) <= Math.abs(parts[i - 1]) + 0.01), parts.join());
    const [shown, others, bias, logit] = (await text(page, '#sum')).replaceAll('−', '-').match(/[+-]?\d+\.\d+/g).map(Number);
    assert.ok(Math.abs(parts.reduce((a, b) => a + b, 0) - shown) < 0.05, 'shown');
    assert.ok(Math.abs(shown + others + bias - logit) < 0.03, 'they add up');
    assert.match(await text(page, '#layers'), /^Layer 1: \d+ of 256 units above 0$/);
    assert.notEqual(await page.locator('#target').inputValue(), '3'); // the next best
    await page.selectOption('#target', '8');
    await until(page, '#change', /^\d+ small steps? along the gradient, and the network says 8: /);
    await page.selectOption('#target', '3');
    await until(page, '#change', /^It is a 3 already: /);
  });

  visit('tells most digits in six styles, tiny ones too, and is sure of them', {}, async (page) => {
    const right = {}, sure = {};
    for (const style of Object.keys(styles)) {
      right[style] = sure[style] = 0;
      for (const [digit, strokes] of Object.entries(digits)) {
        await draw(page, styled(strokes, style));
        await until(page, '#status', /^Prediction: \d, /);
        await until(page, '#why-state', /the answer \d comes/);
        const says = await text(page, '#status');
        right[style] += says.startsWith(`Prediction: ${digit}`);
        sure[style] += !says.includes('not sure');
        await page.click('#clear');
        await until(page, '#digit', /–/);
      }
    }
    const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);
    console.log(`of ten, right: ${JSON.stringify(right)}, sure: ${JSON.stringify(sure)}`);
    console.log(`${sum(right)} of 60 right, ${sum(sure)} sure`); // docs/demo.md tells the count
    assert.ok(sum(right) >= 54, 'right');
    assert.ok(right.tiny >= 9, 'tiny ones'); // the pen is as large as the drawing
    assert.ok(sum(sure) >= 48, 'sure');
  }, 900_000);

  visit('is not sure of scribbles', {}, async (page) => {
    let doubted = 0;
    for (const strokes of Object.values(scribbles)) {
      await draw(page, strokes);
      await until(page, '#status', /^Prediction: \d, /);
      await until(page, '#why-state', /the answer \d comes/);
      if ((await text(page, '#sentence')).startsWith('I am not sure')) {
        ++doubted;
        assert.equal(await page.locator('#answer').getAttribute('data-state'), 'unsure');
        assert.match(await text(page, '#status'), /, but not sure$/);
      }
      if (strokes === scribbles.star) await shoot(page, 'unsure');
      await page.click('#clear');
      await until(page, '#digit', /–/);
    }
    console.log(`${doubted} of ${Object.keys(scribbles).length} scribbles doubted`);
    assert.ok(doubted >= 5);
  });

  visit('is drawn on by keys', {}, async (page) => {
    await until(page, '#gallery-state', /come first/);
    await page.focus('#canvas');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Shift+Tab'); // as by keys: the pen is seen
    const press = async (key, times) => { for (let i = 0; i < times; ++i) await page.keyboard.press(key); };
    await press('ArrowUp', 7);
    await page.keyboard.press(' ');
    assert.equal(await text(page, '#status'), 'The pen is down.');
    await press('ArrowDown', 14);
    await page.keyboard.press(' ');
    await until(page, '#status', /^Prediction: 1, /);
    await shoot(page, 'keys');
    await page.keyboard.press('Control+z');
    await until(page, '#digit', /–/);
  });

  visit('has no finding of axe, light and dark', {}, async (page) => {
    await until(page, '#gallery-state', /come first/);
    assert.deepEqual(await axeFinds(page), []);
    await draw(page, digits[5]);
    await until(page, '#why-state', /the answer 5 comes/);
    assert.deepEqual(await axeFinds(page), []);
    await page.emulateMedia({colorScheme: 'dark'});
    assert.deepEqual(await axeFinds(page), []);
  });

  visit('answers every stroke, some milliseconds after it', {}, async (page) => {
    await until(page, '#gallery-state', /come first/);
    await page.evaluate(() => {
      window.times = [];
      let begin = 0;
      addEventListener('pointerup', () => { begin = performance.now(); }, true);
      new MutationObserver(() => {
        if (begin) window.times[window.strokes] = performance.now() - begin; // the last answer to the stroke
      }).observe(document.querySelector('#answer'), {attributes: true, attributeFilter: ['data-milliseconds']});
    });
    for (let i = 0; i < 10; ++i) {
      await page.evaluate((i) => { window.strokes = i; }, i);
      await draw(page, digits[1]);
      await page.waitForTimeout(200);
      await page.keyboard.press('Escape');
    }
    const times = await page.evaluate(() => window.times);
    assert.equal(times.length, 10);
    // Said, not asserted: it is the machine's time as well. 20 ms is the aim where nothing else runs.
    console.log(`milliseconds: ${times.map(Math.round)}`);
    assert.ok(times.every((time) => time > 0));
  });

  visit('never predicts an empty canvas; undo and clear, by button and key', {}, async (page) => {
    const requests = asked(page);
    const empty = async () => {
      assert.equal(await text(page, '#digit'), '–');
      assert.equal(await page.locator('#placeholder').isVisible(), true);
      assert.equal((await text(page, '#bars')).replaceAll(/\s/g, ''), '0123456789');
      assert.equal(await page.locator('#clear').isDisabled(), true);
      assert.equal(await painted(page, '#canvas'), 0);
      assert.equal(await painted(page, '#seen'), 0);
      assert.equal(await text(page, '#status'), '');
    };
    await until(page, '#gallery-state', /come first/);
    await empty();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+z');
    await empty();
    assert.deepEqual(requests.filter((path) => path === '/api/predict' || path === '/api/explain'), []);

    await draw(page, digits[7]);
    await until(page, '#status', /^Prediction: 7, /);
    assert.equal(await page.locator('#placeholder').isVisible(), false);
    const one = await painted(page, '#canvas');
    await draw(page, [[[0.35, 0.5], [0.65, 0.5]]]);
    await page.waitForTimeout(200);
    assert.ok(await painted(page, '#canvas') > one);
    await page.keyboard.press('Control+z');
    assert.ok(Math.abs(await painted(page, '#canvas') - one) < 1e-9);
    await until(page, '#why-state', /the answer 7 comes/);
    await page.keyboard.press('Escape');
    await page.waitForTimeout(300);
    await empty();
    await page.click('#undo'); // brings back what was cleared
    await until(page, '#status', /^Prediction: 7, /);
    await page.click('#clear');
    await page.waitForTimeout(300);
    await empty();

    // A new stroke after release clears, if that is chosen.
    await page.check('#afresh');
    await draw(page, digits[7]);
    await until(page, '#status', /^Prediction: 7, /);
    await draw(page, digits[1]);
    await until(page, '#status', /^Prediction: 1, /);
    await page.keyboard.press('Control+z');
    await until(page, '#status', /^Prediction: 7, /);
  });

  visit('is dark where the system is, and readable', {colorScheme: 'dark'}, async (page) => {
    await draw(page, digits[2]);
    await until(page, '#status', /^Prediction: 2, /);
    await until(page, '#why-state', /the answer 2 comes/);
    const colours = await page.evaluate(() => ['backgroundColor', 'color'].map((name) =>
      getComputedStyle(document.body)[name].match(/\d+/g).reduce((sum, part) => sum + Number(part), 0)));
    assert.ok(colours[0] < 150 && colours[1] > 600, colours.join());
    await until(page, '#gallery-state', /come first/);
    assert.deepEqual(await lowContrast(page), []);
    await shoot(page, 'dark');
    // Its switch is seen at once, on the canvas as well.
    const ink = async () => (await look(page, '#canvas')).blue;
    assert.ok(await ink() > 200);
    await page.emulateMedia({colorScheme: 'light'});
    await page.waitForTimeout(100);
    assert.ok(await ink() < 100);
    assert.deepEqual(await lowContrast(page), []);
  });

  const phone = {viewport: {width: 360, height: 740}, deviceScaleFactor: 3, isMobile: true, hasTouch: true};
  visit('fits a phone, and a finger draws', phone, async (page) => {
    await until(page, '#gallery-state', /come first/);
    const fits = async () => assert.deepEqual(
        await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]), [360, 360]);
    await fits();
    await page.locator('#canvas').scrollIntoViewIfNeeded();
    const box = await page.locator('#canvas').boundingBox();
    assert.ok(box.width > 280);
    assert.equal(await page.locator('#canvas').evaluate((canvas) => canvas.width), Math.round(box.width - 2) * 3);
    const touch = await page.context().newCDPSession(page);
    const send = (type, points) => touch.send('Input.dispatchTouchEvent', {
      type, touchPoints: points.map(([x, y]) => ({x: box.x + x * box.width, y: box.y + y * box.height})),
    });
    for (const stroke of digits[4]) {
      await send('touchStart', [stroke[0]]);
      for (const point of stroke.slice(1)) await send('touchMove', [point]);
      await send('touchEnd', []);
    }
    await until(page, '#status', /^Prediction: 4, /);
    assert.equal(await page.evaluate(() => scrollY), 0, 'drawing does not scroll');
    const glance = await page.locator('#glance').boundingBox();
    assert.match(await text(page, '#glance'), /^4 /);
    assert.ok(glance.y + glance.height < 740, 'the answer is seen without scrolling');
    await until(page, '#why-state', /the answer 4 comes/);
    await fits();
    assert.deepEqual(await poorControls(page), []);
    assert.deepEqual(await axeFinds(page), []);
    await shoot(page, 'phone');
  });

  visit('shows test images, the wrong ones first, and the confusion matrix', {}, async (page) => {
    await until(page, '#gallery-state', /^\d+ of the 2,000 test images of digits are taken for another digit/);
    const wrong = Number((await text(page, '#gallery-state')).match(/^\d+/)[0]);
    const items = () => page.locator('#items button').evaluateAll((buttons) => buttons.map((button) =>
      [...button.innerText.matchAll(/\d/g)].map(Number)));
    let list = await items();
    assert.equal(list.length, 32);
    list.forEach(([is, says], i) => assert.equal(is !== says, i < wrong, `image ${i}`));
    await page.click('#more');
    await page.waitForFunction(() => document.querySelectorAll('#items li').length === 64);

    // An image that is chosen is drawn, and called what the gallery says.
    const [is, says] = list[0];
    await page.click('#items button >> nth=0');
    await until(page, '#why-state', new RegExp(`the answer ${says} comes`));
    assert.equal(await text(page, '#digit'), String(says));
    assert.ok(await painted(page, '#canvas') > 0.05);

    // The numbers of the matrix add up, and pick images.
    const cells = await page.locator('#confusion td button').allInnerTexts();
    assert.equal(cells.length, 100);
    assert.equal(cells.reduce((sum, cell) => sum + Number(cell), 0), 2000);
    assert.equal(cells.reduce((sum, cell, i) => sum + (i % 11 ? Number(cell) : 0), 0), wrong);
    await page.click(`#confusion td button >> nth=${10 * is + says}`);
    await until(page, '#gallery-state', new RegExp(`^${cells[10 * is + says]} images that are ${is}, and are called ${says}\\.`));
    list = await items();
    assert.equal(list.length, Math.min(32, Number(cells[10 * is + says])));
    assert.ok(list.every(([a, b]) => a === is && b === says));
    assert.equal(await page.locator('#confusion [aria-pressed="true"]').innerText(), cells[10 * is + says]);
    await page.click('#all');
    await until(page, '#gallery-state', /come first/);
    assert.equal((await items()).length, 32);
  });

  visit('is used by keyboard and screen reader', {}, async (page) => {
    await until(page, '#gallery-state', /come first/);
    assert.deepEqual(await poorControls(page), []);
    // From the first link to the last number, each control in turn, and one sees where one is.
    const reached = [];
    for (let i = 0; i < 200; ++i) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const node = document.activeElement;
        return node === document.body ? null : [node.id || node.name || node.closest('ul, table')?.id || node.className,
                                                parseFloat(getComputedStyle(node).outlineWidth)];
      });
      if (!at) break;
      assert.ok(at[1] >= 2, `one sees the focus on ${at[0]}`);
      reached.push(at[0]);
    }
    for (const name of ['skip', 'canvas', 'afresh', 'target', 'dataset', 'hidden', 'activation', 'epochs', 'vary', 'start', 'items',
                        'more', 'confusion'])
      assert.ok(reached.includes(name), `${name} among ${[...new Set(reached)]}`);
    // Without a mouse: a test image is chosen, and its prediction is announced.
    await page.locator('#items button >> nth=40').or(page.locator('#items button >> nth=31')).first().focus();
    await page.keyboard.press('Enter');
    await until(page, '#status', /^Prediction: \d, /);
    assert.equal(await page.locator('#status').getAttribute('role'), 'status');
    await page.keyboard.press('Escape');
    assert.equal(await text(page, '#digit'), '–');
    const outline = await page.locator('h1, h2, h3').evaluateAll((list) => list.map((node) => Number(node.tagName[1])));
    outline.reduce((before, level) => (assert.ok(level <= before + 1), level), 0);
  });

  // The last one: it changes the network.
  visit('trains another network on demand, and cancels', {}, async (page) => {
    await until(page, '#gallery-state', /come first/);
    await page.fill('[name=hidden]', '24, 12');
    await page.selectOption('[name=activation]', 'tanh');
    await page.fill('[name=epochs]', '2');
    await page.uncheck('[name=vary]');
    await draw(page, digits[0]);
    await page.click('#start');
    await until(page, '#model', /A network of 784 → 24 → 12 → 10 units, tanh/, 60_000);
    await until(page, '#train-state', /^Trained on digits/);
    assert.equal(await points(page, 'train'), 2);
    await page.waitForFunction(() => document.querySelectorAll('#layers canvas').length === 2);

    await page.fill('[name=hidden]', '512');
    await page.fill('[name=epochs]', '100');
    await page.click('#start');
    await until(page, '#train-state', /^digits, epoch \d+ of 100: loss \d/);
    assert.equal(await page.locator('#start').isDisabled(), true);
    for (const epochs of [1, 2]) // the curve grows, as does the bar
      await page.waitForFunction((epochs) => document.querySelectorAll('#loss circle.train').length === epochs, epochs,
                                 {timeout: 60_000, polling: 20});
    assert.ok(await page.locator('#progress').evaluate((bar) => bar.value > 0.01 && bar.value < 1));
    await shoot(page, 'training');
    // Who reads of the end can start again: both change at once.
    const enabled = page.evaluate(() => new Promise((resolve) => {
      const state = document.querySelector('#train-state'), start = document.querySelector('#start');
      new MutationObserver(() => {
        if (state.textContent === 'The training was cancelled.') resolve(!start.disabled);
      }).observe(state, {childList: true, characterData: true, subtree: true});
    }));
    await page.click('#cancel');
    assert.equal(await enabled, true);
    assert.match(await text(page, '#model'), /784 → 24 → 12 → 10 units, tanh/);
  });

  it('says what the server refuses', {timeout: 60_000}, async () => {
    const {page, close} = await open(browser, demo.url);
    await until(page, '#gallery-state', /come first/);
    await page.fill('[name=hidden]', '4096');
    await page.click('#start');
    await until(page, '#train-state', /^hidden: expected up to 5 layers of up to 2048 units$/);
    await close();
  });
});
