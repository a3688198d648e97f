// node tests/browser/pictures.mjs <demo>: makes docs/images/demo.png with the program, on the built-in digits. CHROMIUM
// names the browser.
import {join} from 'node:path';
import {launch, open, serve} from './browser.mjs';
import {digits, draw} from './strokes.mjs';

process.env.CHROMIUM ??= '/usr/bin/chromium';
const images = join(new URL('.', import.meta.url).pathname, '../../docs/images');
const demo = await serve(process.argv[2], ['--seed', '1']);
const browser = await launch();
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
await browser.close();
await demo.stop();
