// node tests/browser/pictures.mjs <demo> <trace> <play>: makes docs/images/demo.png, trace.png and play.png with the
// programs. CHROMIUM names the browser.
import {execFileSync} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {launch, open, serve} from './browser.mjs';
import {digits, draw} from './strokes.mjs';

process.env.CHROMIUM ??= '/usr/bin/chromium';
const images = join(new URL('.', import.meta.url).pathname, '../../docs/images');
const browser = await launch();

// The demo, on the built-in digits.
const demo = await serve(process.argv[2], ['--seed', '1']);
const {page} = await open(browser, demo.url, {viewport: {width: 1200, height: 900}});
await page.waitForFunction(() => /^Trained on/.test(document.querySelector('#train-state').textContent), null,
                           {timeout: 120_000});
await draw(page, digits[3]);
await page.waitForFunction(() => document.querySelector('#change').textContent);
await page.mouse.move(0, 0);
await page.waitForTimeout(500);
const end = await page.locator('#why').evaluate((part) => part.getBoundingClientRect().bottom + scrollY);
await page.screenshot({path: join(images, 'demo.png'), fullPage: true,
                       clip: {x: 0, y: 0, width: 1200, height: Math.ceil(end) + 16}});
await demo.stop();

// A trace: the example xor in its step 20, on the way back through its second layer.
const folder = await mkdtemp(join(tmpdir(), 'elk-trace-'));
execFileSync(process.argv[3], ['--quiet', '--out-dir', folder, 'xor']);
const trace = await open(browser, `file://${folder}/xor/trace.html`,
                         {viewport: {width: 1100, height: 640}, reducedMotion: 'reduce'});
await trace.page.locator('#step').fill('4');
await trace.page.evaluate(() => { // of which the layer is one operation
  const {entries, backwardAt} = step();
  go(backwardAt[entries.findLastIndex((entry) => entry.operation === 'linear')]);
});
await trace.page.locator('#step').blur();
await trace.page.screenshot({path: join(images, 'trace.png')});
await rm(folder, {recursive: true});

// The playground, on the spiral, after 1500 steps.
const playground = await serve(process.argv[4], []);
const play = await open(browser, `${playground.url}#data=spiral&features=x,y,sinx,siny`, {viewport: {width: 1200, height: 900}});
await play.page.waitForSelector('body[data-ready]');
await play.page.evaluate(() => {
  for (let i = 0; i < 100; ++i) show(steps(15), true);
});
const table = await play.page.locator('#table').evaluate((part) => part.getBoundingClientRect().bottom + scrollY);
await play.page.screenshot({path: join(images, 'play.png'), fullPage: true,
                            clip: {x: 0, y: 0, width: 1200, height: Math.ceil(table) + 16}});
await playground.stop();
await browser.close();
