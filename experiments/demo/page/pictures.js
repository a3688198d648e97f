// Small pictures of numbers, and numbers as texts.

export const element = (id) => document.getElementById(id);

// A new element with a class and content.
export function make(name, className = '', ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

// With a space that does not break.
export function percent(share) {
  const text = share > 0 && share < 0.001 ? '<0.1' : share < 1 && share > 0.999 ? '>99.9' : (100 * share).toFixed(1);
  return `${text}\u00a0%`;
}

export const grouped = (number) => number.toLocaleString('en');

// Fills the canvas, `columns` wide, with a pixel for each value; colour(value) gives [red, green, blue, alpha].
function fill(canvas, values, columns, colour) {
  const rows = Math.ceil(values.length / columns);
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  values.forEach((value, i) => image.data.set(colour(value), 4 * i));
  canvas.getContext('2d').putImageData(image, 0, 0);
}

// Ink, 0 to `full`, white on black.
export function showInk(canvas, values, full, label) {
  fill(canvas, values, 28, (value) => {
    const grey = 255 * value / full;
    return [grey, grey, grey, 255];
  });
  if (label) canvas.setAttribute('aria-label', label);
}

// The largest absolute value, or `least`.
const largest = (values, least) => values.reduce((most, value) => Math.max(most, Math.abs(value)), least);

// Numbers on both sides of 0, blue above and orange below; over the ink, 0 to 1, where there is some. Full colour is for
// the largest, or for `least` where all are smaller.
export function showSigned(canvas, values, label, {ink = null, least = 1e-30} = {}) {
  const most = largest(values, least);
  let i = 0;
  fill(canvas, values, 28, (value) => {
    const strength = Math.pow(Math.abs(value) / most, 0.8);
    const [red, green, blue] = value > 0 ? [47, 120, 235] : [232, 108, 32];
    const under = ink ? ink[i++] : 0; // grey on whatever the page's ground is
    const alpha = strength + (1 - strength) * 0.75 * under;
    const mix = (colour) => (colour * strength + 128 * (1 - strength) * 0.75 * under) / (alpha || 1);
    return [mix(red), mix(green), mix(blue), 255 * alpha];
  });
  canvas.setAttribute('aria-label', label);
}

// A hidden layer, a square a unit.
export function showUnits(canvas, values, label) {
  const columns = Math.min(values.length, Math.max(16, Math.ceil(Math.sqrt(2 * values.length))));
  const most = largest(values, 1e-30);
  fill(canvas, values, columns, (value) =>
    [...(value >= 0 ? [47, 120, 235] : [232, 108, 32]), 255 * Math.abs(value) / most]);
  canvas.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', label);
}
