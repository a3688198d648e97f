// Tensors: as a number, as a table of numbers, or as a heat map.

// Of the scheme, light or dark, that is on.
function palette() {
  const style = getComputedStyle(document.documentElement);
  const rgb = name => style.getPropertyValue(name).trim().split(" ").map(Number);
  return {zero: rgb("--zero"), negative: rgb("--negative"), positive: rgb("--positive")};
}
let colours = palette();

function colour(value, most) {
  if (!Number.isFinite(value)) return null;
  const share = most > 0 ? Math.min(1, Math.abs(value) / most) : 0;
  const end = value < 0 ? colours.negative : colours.positive;
  return colours.zero.map((z, c) => Math.round(z + (end[c] - z) * share));
}

// Black or white, whichever can be read better on a colour. (WCAG 2, relative luminance.)
function ink(rgb) {
  const [r, g, b] = rgb.map(v => (v <= 10 ? v / 3294 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

// A tensor as a matrix of its last axis: what of it is there.
function matrix(t) {
  const width = t.shape.length ? t.shape[t.shape.length - 1] : 1;
  const columns = t.columns || [...Array(width).keys()];
  const rows = t.rows || [...Array(width ? count(t.shape) / width : 0).keys()];
  return {width, rows, columns};
}

function statistics(t) {
  const facts = [], n = count(t.shape);
  if (t.zeros === n) return "all zero";
  if (t.min != null)
    facts.push(`${text(t.min)} to ${text(t.max)}`, `mean ${text(t.mean)}`, `deviation ${text(t.deviation)}`,
      `norm ${text(t.norm)}`);
  if (t.zeros) facts.push(`${text(100 * t.zeros / n, 3)}% zeros`);
  if (t.nan) facts.push(`${t.nan} NaN`);
  if (t.infinite) facts.push(`${t.infinite} infinite`);
  return facts.join(" · ");
}

// `with`: what is more than to be seen. `made(element)` tells how a number was made, as one points at it, and of the
// first one to begin with where `first`; `change(element, value)` lets numbers be typed over.
function tensorView(label, t, small = false, {made = null, first = false, change = null} = {}) {
  const n = count(t.shape), kind = `${t.dtype} ${t.shape.length ? shapeText(t.shape) : "a number"}`;
  const caption = make("figcaption", {}, label && make("b", {}, label), make("span", {}, kind));
  const figure = make("figure", {class: "tensor", "data-tensor": label}, caption);
  const most = Math.max(Math.abs(t.min || 0), Math.abs(t.max || 0));
  const width = t.shape[t.shape.length - 1];
  const across = t.shape.length === 1 && n <= 16 ? Math.min(width, 8) : width;
  const few = !t.rows && across <= 8 && n <= (small ? 16 : 96);
  if (n === 0) figure.append(paragraph("note", "It has no elements."));
  else if (n === 1 && !change) figure.append(make("div", {class: "number", "data-value": t.values[0]}, text(t.values[0], 6)));
  else if (few) figure.append(numbers(`${label} ${kind}`, t, most, across, change));
  else figure.append(...heatMap(label, t, most, small, caption));
  if (!small && n > 1) figure.append(paragraph("readout", statistics(t)));
  if (made && n > 0 && !t.rows) tellMade(figure, t, few ? across : 0, made, first, small);
  return figure;
}

// Shows beneath a tensor how the number was made that one points at, or goes to by the arrow keys.
function tellMade(figure, t, across, made, first, small) {
  const there = made(0);
  if (!there) return;
  const hint = "Point at a number to see how it was made" + (across ? "; the arrow keys go from one to the next." : ".");
  const place = make("div", {class: "made", "aria-live": "polite", role: "group", tabindex: 0, "aria-label": "how the number was made"}, first ? there : paragraph("note", hint));
  const box = figure.querySelector(".numbers"), cells = box ? [...box.querySelectorAll("td")] : [];
  let at = first ? 0 : -1;
  const tell = element => {
    if (element === at || element < 0 || element >= count(t.shape)) return;
    cells.forEach((cell, i) => cell.classList.toggle("told", i === element));
    at = element;
    place.replaceChildren(made(element));
  };
  cells.forEach((cell, i) => {
    cell.addEventListener("pointerenter", () => tell(i));
    cell.addEventListener("pointerdown", () => tell(i));
  });
  if (box) {
    box.tabIndex = 0;
    box.addEventListener("keydown", event => {
      const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across}[event.key];
      if (!step) return;
      event.preventDefault();
      tell(Math.max(0, Math.min(cells.length - 1, (at < 0 ? -step : at) + step)));
    });
  }
  const canvas = figure.querySelector("canvas");
  if (canvas) canvas.addEventListener("element", event => tell(event.detail));
  if (count(t.shape) === 1 && !first) place.replaceChildren(there);
  if (small || cells.length <= 24) figure.append(place);
  else figure.firstChild.after(place);  // beneath many numbers it would not be seen
}

function numbers(label, t, most, across, change) {
  const cells = t.values.map((value, i) => {
    const shade = colour(Number(value), most);
    return make("td", {
      "data-value": value,
      title: `${place(i, t.shape)} = ${value}`,
      class: shade ? null : "strange",
      style: shade && `background: rgb(${shade}); color: ${ink(shade)}`
    }, change ? field(value, place(i, t.shape), number => change(i, number)) : text(value, across > 6 ? 3 : 4));
  });
  const rows = [];
  while (cells.length) rows.push(row(cells.splice(0, across)));
  return make("div", {class: "numbers", role: "group", "aria-label": label},
    make("table", {"aria-label": label}, make("tbody", {}, rows)));
}

// A number that can be typed over.
function field(value, where, change) {
  const shown = text(value, 4).replace("−", "-");
  const input = make("input", {type: "text", inputmode: "decimal", class: "field", value: shown, "aria-label": `number ${where}`});
  input.addEventListener("change", () => {
    const number = Number(input.value.trim().replace("−", "-").replace(",", "."));
    if (input.value.trim() && Number.isFinite(number)) change(number);
    else input.value = shown;
  });
  return input;
}

function heatMap(label, t, most, small, caption) {
  const {width, rows, columns} = matrix(t);
  const side = Math.round(Math.sqrt(width));
  const canBeImages = columns.length === width && width >= 256 && side * side === width;
  const asImages = canBeImages && state.images;
  let across, w, h, at;  // how many cells, and which value is where
  if (asImages) {
    across = Math.min(rows.length, 5);
    w = across * (side + 1) - 1;
    h = Math.ceil(rows.length / across) * (side + 1) - 1;
    at = (x, y) => {
      const column = Math.floor(x / (side + 1)), r = Math.floor(y / (side + 1)) * across + column;
      const px = x % (side + 1), py = y % (side + 1);
      return px < side && py < side && r < rows.length ? r * columns.length + py * side + px : -1;
    };
  } else {
    w = columns.length;
    h = rows.length;
    at = (x, y) => y * columns.length + x;
  }
  const canvas = make("canvas", {
    class: "heat", width: w, height: h, role: "img", "aria-label": `${label} as a heat map: ${statistics(t)}`
  });
  const context = canvas.getContext("2d"), image = context.createImageData(w, h);
  for (let y = 0; y < h; ++y)
    for (let x = 0; x < w; ++x) {
      const i = at(x, y);
      if (i < 0) continue;
      image.data.set([...(colour(Number(t.values[i]), most) || [220, 0, 120]), 255], 4 * (y * w + x));
    }
  context.putImageData(image, 0, 0);
  const [largest, wide, high] = small ? [12, 260, 110] : [22, 520, 300];
  const pixels = asImages ? (small ? 1.5 : 3) : Math.min(largest, Math.max(1, wide / w));
  canvas.style.width = `${Math.round(w * pixels)}px`;
  canvas.style.height = asImages ? "auto" : `${Math.max(largest, Math.min(high, Math.round(h * pixels)))}px`;

  const readout = make("span", {class: "readout"});
  const point = event => {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * w);
    const y = Math.floor((event.clientY - box.top) / box.height * h);
    const i = x >= 0 && y >= 0 && x < w && y < h ? at(x, y) : -1;
    if (i < 0) return;
    const element = rows[Math.floor(i / columns.length)] * width + columns[i % columns.length];
    readout.textContent = `${place(element, t.shape)} = ${text(t.values[i], 6)}`;
    canvas.dispatchEvent(new CustomEvent("element", {detail: element}));
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  if (t.rows) {
    const parts = [], height = count(t.shape) / width;
    if (rows.length < height) parts.push(`${rows.length} of ${height} rows`);
    if (columns.length < width) parts.push(`${columns.length} of ${width} columns`);
    caption.append(make("span", {}, parts.join(", ")));
  }
  if (small) return [canvas];
  if (canBeImages)
    caption.append(make("button", {onclick: () => { state.images = !state.images; render(); }},
      asImages ? "as a matrix" : `rows as ${side} × ${side} images`));
  const scale = most > 0 && [`−${text(most, 3)}`, make("i"), text(most, 3)];
  return [canvas, make("div", {class: "scale"}, scale, readout)];
}
