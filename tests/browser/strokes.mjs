// Digits as somebody draws them: for each its strokes, lists of points in the unit square.

// Points on an ellipse, by degrees clockwise from the top.
const arc = (x, y, rx, ry, from, to) => Array.from({length: 13}, (_, i) => {
  const angle = (from + (to - from) * i / 12) * Math.PI / 180;
  return [x + rx * Math.sin(angle), y - ry * Math.cos(angle)];
});

export const digits = {
  0: [arc(0.5, 0.5, 0.2, 0.3, 0, -360)],
  1: [[[0.52, 0.2], [0.5, 0.5], [0.48, 0.8]]],
  2: [[...arc(0.5, 0.36, 0.19, 0.17, -75, 120), [0.33, 0.8], [0.72, 0.79]]],
  3: [[...arc(0.47, 0.35, 0.17, 0.15, -60, 180), ...arc(0.47, 0.65, 0.2, 0.16, 0, 240)]],
  4: [[[0.38, 0.2], [0.3, 0.52], [0.7, 0.52]], [[0.64, 0.22], [0.6, 0.82]]],
  5: [[[0.68, 0.2], [0.38, 0.2], [0.35, 0.46], ...arc(0.47, 0.62, 0.2, 0.18, -20, 230)]],
  6: [[[0.6, 0.18], [0.42, 0.38], [0.33, 0.6], ...arc(0.5, 0.65, 0.17, 0.16, -90, -450)]],
  7: [[[0.3, 0.22], [0.7, 0.22], [0.58, 0.5], [0.46, 0.82]]],
  8: [[...arc(0.5, 0.34, 0.15, 0.15, 90, -180), ...arc(0.5, 0.66, 0.18, 0.17, 0, 360), ...arc(0.5, 0.34, 0.15, 0.15, 180, 90)]],
  9: [[...arc(0.48, 0.36, 0.17, 0.16, 90, -270), [0.65, 0.36], [0.62, 0.6], [0.55, 0.82]]],
};

// Ways to write them: each maps a point of the unit square.
const around = (f) => ([x, y]) => { const [u, v] = f(x - 0.5, y - 0.5); return [u + 0.5, v + 0.5]; };
export const styles = {
  plain: around((x, y) => [x, y]),
  slanted: around((x, y) => [x - 0.35 * y, y]),
  narrow: around((x, y) => [0.55 * x, y]),
  wide: around((x, y) => [1.4 * x, y]),
  turned: around((x, y) => [Math.cos(0.22) * x - Math.sin(0.22) * y, Math.sin(0.22) * x + Math.cos(0.22) * y]),
  tiny: around((x, y) => [0.18 * x + 0.25, 0.18 * y - 0.2]),
};
export const styled = (strokes, style) => strokes.map((stroke) => stroke.map(styles[style]));

// No digits.
const spiral = Array.from({length: 60}, (_, i) =>
  [0.5 + 0.006 * i * Math.cos(0.35 * i), 0.5 + 0.006 * i * Math.sin(0.35 * i)]);
export const scribbles = {
  zigzag: [[[0.1, 0.7], [0.22, 0.3], [0.34, 0.7], [0.46, 0.3], [0.58, 0.7], [0.7, 0.3], [0.82, 0.7]]],
  star: [[[0.2, 0.5], [0.8, 0.5]], [[0.35, 0.24], [0.65, 0.76]], [[0.65, 0.24], [0.35, 0.76]]],
  fence: [[[0.35, 0.2], [0.35, 0.8]], [[0.65, 0.2], [0.65, 0.8]], [[0.2, 0.4], [0.8, 0.4]], [[0.2, 0.6], [0.8, 0.6]]],
  box: [[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75], [0.25, 0.25]], [[0.25, 0.25], [0.75, 0.75]]],
  house: [[[0.3, 0.8], [0.3, 0.45], [0.5, 0.2], [0.7, 0.45], [0.7, 0.8], [0.3, 0.8]], [[0.3, 0.45], [0.7, 0.45]]],
  spiral: [spiral],
};

// Draws with the mouse.
export async function draw(page, strokes) {
  const box = await page.locator('#canvas').boundingBox();
  for (const stroke of strokes) {
    const [first, ...rest] = stroke.map(([x, y]) => [box.x + x * box.width, box.y + y * box.height]);
    await page.mouse.move(...first);
    await page.mouse.down();
    for (const point of rest) await page.mouse.move(...point);
    await page.mouse.up();
  }
}
