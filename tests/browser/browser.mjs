// What the tests of pages share: chromium, the program that serves the page, and watchers of all that goes wrong.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {mkdir, mkdtemp} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import axe from 'axe-core';
import {chromium} from 'playwright-core';

// Where screenshots go.
export const screenshots = process.env.ELK_SCREENSHOTS ?? await mkdtemp(join(tmpdir(), 'elk-screenshots-'));
await mkdir(screenshots, {recursive: true});

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: process.getuid() === 0 ? ['--no-sandbox'] : [], // which root cannot have
});

// Starts the program and returns its address and a function that ends it.
export async function serve(program, options) {
  const child = spawn(program, [...options, '--port', '0', '--json', '--quiet'], {
    env: {...process.env, ELK_DATA_DIR: ''},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  let text = '';
  for await (const piece of child.stdout) {
    text += piece;
    if (text.includes('\n')) break;
  }
  assert.match(text, /\n/, `${program} ended before it said its address`);
  return {
    url: JSON.parse(text).url,
    stop: () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}

// Opens the address in a window of its own. `problems` collects what must not happen: messages on the console, errors of
// scripts, requests that fail or go elsewhere.
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, ...options});
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => problems.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('requestfailed', (request) => {
    // Chromium calls a stream aborted, now and then, that was read to its end.
    const {errorText} = request.failure();
    if (errorText !== 'net::ERR_ABORTED') problems.push(`failed: ${request.url()} ${errorText}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url.split('#')[0])) problems.push(`elsewhere: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
  });
  await page.goto(url);
  return {page, problems, close: () => context.close()};
}

// A test on the page at the address, on which nothing may go wrong, and nothing be asked of other places.
export async function flawless(browser, url, options, test) {
  const {page, problems, close} = await open(browser, url, options);
  try {
    await test(page);
    assert.deepEqual(problems, []);
  } finally {
    await close();
  }
}

// What is on a canvas: the share of pixels that are not as the first one is, and the blue of the first opaque one.
export const look = (page, selector) => page.locator(selector).evaluate((canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});
  copy.drawImage(canvas, 0, 0);
  const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
  const words = new Uint32Array(data.buffer);
  return {
    painted: words.filter((word) => word !== words[0]).length / words.length,
    blue: data[data.findIndex((value, i) => i % 4 === 3 && value === 255) - 1],
  };
});

// Texts on the page whose contrast with what is behind them is below `least`, by WCAG 2.2, success criterion 1.4.3.
export const lowContrast = (page, least = 4.5) => page.evaluate((least) => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const mix = (...colours) => { // one over another, each with its opacity
    for (const [colour, opacity] of [['#fff', 1], ...colours]) {
      canvas.fillStyle = colour;
      canvas.globalAlpha = opacity;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
    const style = getComputedStyle(node);
    if (!own || !node.checkVisibility() || node.disabled || node.closest('noscript, option, .hidden')) continue;
    const behind = [];
    let opacity = 1;
    for (let at = node; at; at = at.parentElement) {
      const {backgroundColor, opacity: own} = getComputedStyle(at);
      behind.unshift([backgroundColor, 1]);
      opacity *= own;
    }
    let colour = style.color;
    if (node instanceof SVGElement) {
      colour = style.fill;
      for (const box of node.parentElement.querySelectorAll(':scope > rect')) behind.push([getComputedStyle(box).fill, 1]);
    }
    const [low, high] = [luminance(mix(...behind)), luminance(mix(...behind, [colour, opacity]))].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < least) found.push(`${ratio.toFixed(2)}: ${node.getAttribute('class')} "${node.textContent.trim().slice(0, 40)}"`);
  }
  return found;
}, least);

// Controls that a screen reader would call nothing, and those too small for a finger (WCAG 2.2, 2.5.8: 24 pixels).
export const poorControls = (page) => page.evaluate(() => {
  const found = [];
  for (const node of document.querySelectorAll('button, input, select, a, summary, [tabindex="0"]')) {
    if (!node.checkVisibility() || node.disabled || node.className === 'skip') continue;
    const name = node.getAttribute('aria-label') || [...(node.labels ?? [])].map((label) => label.textContent).join() ||
        node.textContent || node.title;
    const boxes = [node, ...(node.labels ?? [])].map((part) => part.getBoundingClientRect());
    const inText = getComputedStyle(node).display === 'inline' || node.className === 'link';
    if (!name.trim()) found.push(`no name: ${node.outerHTML.slice(0, 80)}`);
    if (!inText && !boxes.some((box) => box.width >= 24 && box.height >= 24)) found.push(`small: ${node.outerHTML.slice(0, 80)}`);
  }
  return found;
});

// What axe finds on the page, or in a frame of it, as it is: each rule that is broken, with the first elements that break
// it. Frames are pages of their own.
export async function axeFinds(page) {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const {violations} = await window.axe.run(document, {resultTypes: ['violations'], iframes: false});
    return violations.map(({id, nodes}) => `${id}: ${nodes.slice(0, 3).map((node) => node.target.join(' ')).join(', ')}`);
  });
}
