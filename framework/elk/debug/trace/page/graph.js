// The graph: as it was laid out when the file was written.

// Which parts of a graph are to be seen, and where: groups may be folded into a box, and the space that they
// leave is taken away. What was apart stays apart: both axes are only ever mapped in order.
function arrangement(graph, folded) {
  const hiddenIn = g => {  // the outermost folded group around g, or g itself if it is folded
    let found = -1;
    for (; g >= 0; g = graph.groups[g].parent) if (folded.has(g)) found = g;
    return found;
  };
  const nodes = [], groups = [], boxes = [];
  graph.groups.forEach((group, g) => {
    const inside = hiddenIn(g);
    if (inside < 0) groups.push(g);
    else if (inside === g) boxes.push(g);
  });
  graph.nodes.forEach((node, i) => { if (hiddenIn(node.group) < 0) nodes.push(i); });
  const foldedBox = g => {
    const [x, y, w, h] = graph.groups[g].box, width = Math.min(w, 190), height = Math.min(h, 44);
    return [x + (w - width) / 2, y + (h - height) / 2, width, height];
  };
  const taken = [[], []];
  const take = (x, y, w, h) => { taken[0].push([x, x + w]); taken[1].push([y, y + h]); };
  nodes.forEach(i => take(...graph.nodes[i].box));
  boxes.forEach(g => take(...foldedBox(g)));
  groups.forEach(g => {
    const [x, y, w, h] = graph.groups[g].box;
    take(x, y, 8, 24);
    take(x + w - 8, y + h - 8, 8, 8);
  });
  const shrink = taken.map((list, axis) => {
    const gap = axis ? 40 : 64, steps = [];  // from where on how much is taken away
    list.sort((a, b) => a[0] - b[0]);
    let away = 0, until = 0;
    for (const [from, to] of list) {
      if (from - until > gap) {
        away += from - until - gap;
        steps.push([until, from, away]);
      }
      until = Math.max(until, to);
    }
    return v => {
      let shift = 0;
      for (const [begin, finish, total] of steps) {
        if (v >= finish) shift = total;
        else if (v > begin) return v - shift - (v - begin) / (finish - begin) * (total - shift);
      }
      return v - shift;
    };
  });
  const map = ([x, y, w, h]) => {
    const left = shrink[0](x), top = shrink[1](y);
    return [left, top, shrink[0](x + w) - left, shrink[1](y + h) - top];
  };
  const result = {
    width: shrink[0](graph.width), height: shrink[1](graph.height),
    nodes: new Map(nodes.map(i => [i, map(graph.nodes[i].box)])),
    boxes: new Map(boxes.map(g => [g, map(foldedBox(g))])),
    groups: new Map(groups.map(g => [g, map(graph.groups[g].box)])),
    edges: []
  };
  const within = (px, py, [x, y, w, h]) => px >= x && px <= x + w && py >= y && py <= y + h;
  const seen = new Set();
  const endOf = i => {
    const g = hiddenIn(graph.nodes[i].group);
    return g < 0 ? {key: `n${i}`, box: result.nodes.get(i)}
      : {key: `g${g}`, box: result.boxes.get(g), folded: true, group: g};
  };
  graph.edges.forEach((edge, e) => {
    const a = endOf(edge.from), b = endOf(edge.to), key = `${a.key} ${b.key}`;
    if (a.key === b.key) return;
    let curve;
    if (a.folded || b.folded || !edge.curve.length) {
      if (seen.has(key)) {
        result.edges.find(other => other.key === key).parts.push(e);
        return;
      }
      // From where it would leave to where it would arrive if all were open, and there by the same way.
      const along = (end, k) => Math.max(end.box[0] + 12, Math.min(end.box[0] + end.box[2] - 12,
        edge.curve.length ? shrink[0](edge.curve.at(k)) : end.box[0] + end.box[2] / 2));
      const top = a.box[1] + a.box[3], bottom = b.box[1];
      if (top > bottom) {  // they stand beside each other: from side to side
        const isLeft = a.box[0] < b.box[0];
        const x0 = a.box[0] + (isLeft ? a.box[2] : 0), x1 = b.box[0] + (isLeft ? 0 : b.box[2]);
        const y0 = a.box[1] + a.box[3] / 2, y1 = b.box[1] + b.box[3] / 2, half = (x0 + x1) / 2;
        curve = [x0, y0, half, y0, half, y1, x1, y1];
      } else {
        const way = [[along(a, 0), top]];
        for (let k = 6; k + 2 < edge.curve.length; k += 6) {
          const [x, y] = edge.curve.slice(k, k + 2), at = [shrink[0](x), shrink[1](y)];
          if (at[1] > top && at[1] < bottom &&
              ![a, b].some(end => end.folded && within(x, y, graph.groups[end.group].box))) way.push(at);
        }
        way.push([along(b, -2), bottom]);
        curve = [...way[0]];
        for (let k = 1; k < way.length; ++k) {
          const [x0, y0] = way[k - 1], [x1, y1] = way[k], half = (y1 - y0) / 2;
          curve.push(x0, y0 + half, x1, y1 - half, x1, y1);
        }
      }
    } else {
      curve = edge.curve.map((v, k) => shrink[k % 2](v));
    }
    seen.add(key);
    result.edges.push({key, parts: [e], curve});
  });
  return result;
}

const path = c => `M${c[0]} ${c[1]}` + c.slice(2).reduce((d, v, k) => d + (k % 6 ? " " : "C") + v.toFixed(1), "");

// The triangle at the end of a curve.
function arrow(x, y, fromX, fromY) {
  const length = Math.hypot(x - fromX, y - fromY) || 1;
  const along = [(x - fromX) / length * 7, (y - fromY) / length * 7], aside = [along[1] / 2, -along[0] / 2];
  const corner = side => `L${x - along[0] + side * aside[0]} ${y - along[1] + side * aside[1]}`;
  return `M${x} ${y}${corner(1)}${corner(-1)}Z`;
}

function cut(label, width, perLetter) {
  const letters = Math.max(3, Math.floor(width / perLetter));
  return label.length <= letters ? label : label.slice(0, letters - 1) + "…";
}

// All groups but those that hold others and are in none: the network itself stays open.
function foldable({groups}) {
  return groups.map((group, g) => g).filter(g => groups[g].parent >= 0 || !groups.some(other => other.parent === g));
}

// Those of the graph that are folded; large graphs begin so.
function foldedGroups() {
  const key = step().graph, graph = trace.graphs[key];
  if (!state.folded.has(key)) state.folded.set(key, new Set(graph.nodes.length > 60 ? foldable(graph) : []));
  return state.folded.get(key);
}

function toggle(g) {
  const folded = foldedGroups();
  folded.has(g) ? folded.delete(g) : folded.add(g);
  drawing.graph = null;
  render();
  const again = document.querySelector(`[data-group="${g}"]`);
  if (again) again.focus();
}

const drawing = {graph: null};

// Whether a node is in a group, or in one within it.
function isIn(graph, i, g) {
  for (let k = graph.nodes[i].group; k >= 0; k = graph.groups[k].parent) if (k === g) return true;
  return false;
}

// Whether the input of a group also goes around what is inside: to the operation that gives its result, beside others.
function goesAround(graph, g) {
  const ends = new Set();  // of the group: what others take
  for (const {from, to} of graph.edges) if (isIn(graph, from, g) && !isIn(graph, to, g)) ends.add(from);
  const coming = graph.edges.filter(({from, to}) => !isIn(graph, from, g) && isIn(graph, to, g));
  return coming.some(({from, to}) => ends.has(to) &&
    coming.some(other => other.from === from && other.to !== to));
}

// Where the title of a group may stand so that no edge crosses it: the distance from its left side, and the width.
function freeForTitle([x, y, w], wanted, edges) {
  const crossed = [];
  for (const {curve} of edges)
    for (let k = 0; k + 7 < curve.length; k += 6)
      for (let t = 0; t <= 1; t += 0.04) {
        const at = axis => [1, 3, 3, 1].reduce((v, factor, n) =>
          v + factor * (1 - t) ** (3 - n) * t ** n * curve[k + 2 * n + axis], 0);
        if (at(1) > y - 4 && at(1) < y + 26) crossed.push(at(0) - x);
      }
  const bounds = [3, ...crossed.filter(v => v > 3 && v < w - 3).sort((a, b) => a - b), w - 3];
  let best = {left: 8, width: 0};
  for (let k = 1; k < bounds.length; ++k) {
    const left = bounds[k - 1] + 5, width = bounds[k] - 5 - left;
    if (width >= wanted) return {left, width};
    if (width > best.width) best = {left, width};
  }
  return best;
}

function groupTitle(graph, g) {
  const {name, kind, call, parent} = graph.groups[g], around = parent < 0 ? "" : `${graph.groups[parent].name}.`;
  const own = around.length > 1 && name.startsWith(around) ? name.slice(around.length) : name;
  return [own, kind].filter(Boolean).join(" · ") + (call > 1 ? ` (call ${call})` : "");
}

// What folds a group, or opens it again.
function handle(g, label, open, ...children) {
  return make("g", {
    class: "toggle", role: "button", tabindex: 0, "data-group": g,
    "aria-expanded": String(open), "aria-label": `${label}: ${open ? "fold" : "unfold"}`,
    onclick: () => toggle(g),
    onkeydown: event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      toggle(g);
    }
  }, make("title", {}, label), children);
}

function draw() {
  const s = step(), graph = trace.graphs[s.graph], folded = foldedGroups();
  if (drawing.graph === graph) return;
  const places = arrangement(graph, folded);
  const svg = make("svg", {
    role: "group", "aria-label": "Graph of the tape. Its entries are listed under Tape and Parameters."
  });
  for (const [x, y, w, h] of places.groups.values())
    svg.append(make("rect", {class: "group", x, y, width: w, height: h, rx: 9}));

  drawing.edges = graph.edges.map(() => []);
  for (const {parts, curve} of places.edges) {
    const [x, y, bendX, bendY] = [curve.at(-2), curve.at(-1), curve.at(-4), curve.at(-3)];
    const line = make("path", {class: "edge", d: path(curve)});
    const down = make("path", {class: "head", d: arrow(x, y, bendX, bendY)});
    const up = make("path", {class: "head back", d: arrow(...curve.slice(0, 4)), visibility: "hidden"});
    svg.append(line, down, up);
    parts.forEach(e => drawing.edges[e].push({line, down, up}));
  }
  for (const [g, [x, y, w, h]] of places.boxes)
    if (goesAround(graph, g)) {
      const side = x + w, out = side + 26, top = y - 9, bottom = y + h + 9;
      const d = `M${side - 30} ${top}C${out} ${top} ${out} ${y + 8} ${out} ${y + h / 2}` +
        `C${out} ${y + h - 8} ${out} ${bottom} ${side - 30} ${bottom}`;
      svg.append(make("path", {class: "edge around", d}, make("title", {}, "Its input also goes around its layers.")));
    }

  const middle = (kind, x, y, label) => make("text", {class: kind, x, y, "text-anchor": "middle"}, label);
  for (const [g, box] of places.groups) {
    const [x, y, w] = box, label = groupTitle(graph, g);
    const free = freeForTitle(box, 14 + 6.4 * label.length, places.edges), room = Math.max(free.width - 11, 20);
    const shown = 6.4 * label.length > room ? label.split(" · ")[0] : label;  // else the name alone
    const words = cut(shown, room, 6.4);
    svg.append(handle(g, label.startsWith(words) ? label : `${words} ${label}`, true,
      make("rect", {x, y, width: w, height: 28}), make("text", {x: x + free.left, y: y + 16}, `▾ ${words}`)));
  }
  drawing.nodes = new Map();
  for (const [i, [x, y, w, h]] of places.nodes) {
    const {title: label, subtitle} = graph.nodes[i], isLeaf = s.entries[i].kind !== "operation";
    const node = make("g", {
      class: `node${isLeaf ? " leaf" : ""}${h > 50 ? " tall" : ""}`, "data-entry": i, onclick: () => choose(i)
    },
    make("rect", {x, y, width: w, height: h, rx: isLeaf ? Math.min(h / 2, 18) : 7}),
    middle(null, x + w / 2, y + (subtitle ? 17 : h / 2 + 4.5), label),
    subtitle && middle("shape", x + w / 2, y + 32, subtitle),
    h > 50 && middle("gradient", x + w / 2, y + 47));
    drawing.nodes.set(i, node);
    svg.append(node);
  }
  drawing.boxes = new Map();
  for (const [g, [x, y, w, h]] of places.boxes) {
    const inside = plural(s.operations.filter(i => isIn(graph, i, g)).length, "operation");
    const label = groupTitle(graph, g);
    const words = cut(label, w - 34, 7.2);
    const box = handle(g, `${words} ${inside}${words === label ? "" : `, ${label}`}`, false, make("rect", {x, y, width: w, height: h, rx: 9}),
      middle(null, x + w / 2, y + 18, `▸ ${words} `), middle("shape", x + w / 2, y + 34, inside));
    box.classList.add("node", "folded");
    drawing.boxes.set(g, box);
    svg.append(box);
  }
  Object.assign(drawing, {graph, svg, places});
  $("view-graph").replaceChildren(svg);
  zoom();
  $("fold").hidden = graph.groups.length === 0;
  $("fold").textContent = folded.size ? "Unfold modules" : "Fold modules";
}

function zoom() {
  const {width, height} = drawing.places, pane = $("view-graph"), space = pane.clientWidth;
  const inWidth = space > 0 ? (space - 4) / width : 1;
  if (state.zoom === "all") {  // as much of the height as the pane can have
    const most = parseFloat(getComputedStyle(pane).maxHeight) || pane.clientHeight;
    drawing.scale = Math.max(0.02, Math.min(1, inWidth, (most - 4) / height));
  } else {
    drawing.scale = state.zoom || Math.max(0.55, Math.min(1, inWidth));
  }
  drawing.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.svg.setAttribute("width", width * drawing.scale);
  drawing.svg.setAttribute("height", height * drawing.scale);
  overview();
}

// The whole graph in small, in a corner, where the pane shows only a part of it.
function overview() {
  const pane = $("view-graph"), svg = $("overview"), {width, height} = drawing.places;
  const hides = pane.scrollWidth > pane.clientWidth + 1 || pane.scrollHeight > pane.clientHeight + 1;
  svg.toggleAttribute("hidden", pane.hidden || !hides);
  if (!hides || pane.hidden) return;
  const marks = node => ["now", "found"].filter(mark => node.classList.contains(mark)).map(mark => `is-${mark}`).join(" ");
  const most = pane.clientWidth < 500 ? 70 : 110, scale = Math.min(most / width, 1.4 * most / height), part = [];
  for (const [i, [x, y, w, h]] of drawing.places.nodes)
    part.push(make("rect", {x, y, width: w, height: h, class: marks(drawing.nodes.get(i))}));
  for (const [g, [x, y, w, h]] of drawing.places.boxes)
    part.push(make("rect", {x, y, width: w, height: h, class: marks(drawing.boxes.get(g))}));
  const view = make("rect", {
    class: "window", x: pane.scrollLeft / drawing.scale, y: pane.scrollTop / drawing.scale,
    width: Math.min(width, pane.clientWidth / drawing.scale), height: Math.min(height, pane.clientHeight / drawing.scale)
  });
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width * scale);
  svg.setAttribute("height", height * scale);
  svg.replaceChildren(...part, view);
}

// Brings what the overview shows at a point of the window into the middle of the pane.
function lookAt(event) {
  const box = $("overview").getBoundingClientRect(), pane = $("view-graph"), {width, height} = drawing.places;
  const x = (event.clientX - box.left) / box.width * width, y = (event.clientY - box.top) / box.height * height;
  pane.scrollTo(x * drawing.scale - pane.clientWidth / 2, y * drawing.scale - pane.clientHeight / 2);
}

// The entries whose name, operation or module has the text in it, in the order of the tape.
function search(s, words) {
  const wanted = words.trim().toLowerCase();
  if (!wanted) return [];
  return s.entries.map((e, i) => i).filter(i =>
    [nameOf(s, i), s.entries[i].operation || "", whereOf(s, i)].some(part => part.toLowerCase().includes(wanted)));
}

// The place of an entry in the drawing: its own, or that of the folded group that it is in.
function placeOf(i) {
  const own = drawing.places.nodes.get(i);
  if (own) return own;
  for (let g = drawing.graph.nodes[i].group; g >= 0; g = drawing.graph.groups[g].parent)
    if (drawing.places.boxes.has(g)) return drawing.places.boxes.get(g);
  return null;
}

// Marks what the place on the tape makes of nodes and edges.
function markGraph() {
  const s = step(), f = frame(), back = isBackward(), {graph} = drawing;
  for (const [i, node] of drawing.nodes) {
    const entry = s.entries[i], there = state.frame >= s.forwardAt[i];
    const graded = Boolean(back && entry.gradient && state.frame >= s.gradedAt[i]);
    node.classList.toggle("future", !there);
    node.classList.toggle("graded", graded);
    node.classList.toggle("now", f.entry === i);
    node.classList.toggle("chosen", state.chosen === i);
    node.classList.toggle("found", state.found.includes(i));
    node.classList.toggle("bad", (strange(entry.value) && there) || (strange(entry.gradient) && graded));
    if (count(entry.value.shape) !== 1 || !graph.nodes[i].subtitle) continue;  // else numbers
    node.querySelector(".shape").textContent = there ? text(entry.value.values[0]) : "";
    const gradient = node.querySelector(".gradient");
    if (gradient) gradient.textContent = graded ? `grad ${text(entry.gradient.values[0], 3)}` : "";
  }
  for (const [g, box] of drawing.boxes) {
    const inside = s.operations.filter(i => isIn(graph, i, g));
    box.classList.toggle("now", inside.includes(f.entry));
    box.classList.toggle("found", state.found.some(i => isIn(graph, i, g)));
    box.classList.toggle("future", inside.every(i => state.frame < s.forwardAt[i]));
  }
  markEdges(s, f, back);
  overview();

  const at = f.entry != null && placeOf(f.entry), pane = $("view-graph");
  if (f.pass === "start") pane.scrollTo({top: 0});
  if (!at || state.chosen != null) return;
  const [x, y, w, h] = at.map(v => v * drawing.scale);
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  pane.scrollTo({left: x + w / 2 - pane.clientWidth / 2, top: y + h / 2 - pane.clientHeight / 2, behavior});
}

function markEdges(s, f, back) {
  const marks = new Map();  // of lines, which stand for several edges where modules are folded
  drawing.graph.edges.forEach(({from, to}, e) => {
    const {flow, inputs} = s.entries[to];
    const flows = Boolean(flow) && inputs.some((input, k) => input === from && flow[k]);
    const now = f.entry === to && (f.pass === "forward" || flows);
    for (const parts of drawing.edges[e]) {
      const mark = marks.get(parts.line) || {parts, now: false, done: false, graded: false};
      mark.now = mark.now || now;
      mark.done = mark.done || state.frame >= s.forwardAt[to];
      mark.graded = mark.graded || (back && flows && state.frame >= s.backwardAt[to]);
      marks.set(parts.line, mark);
    }
  });
  for (const {parts: {line, down, up}, now, done, graded} of marks.values()) {
    line.setAttribute("class", `edge${done ? " done" : ""}${graded ? " graded" : ""}${now ? " now" : ""}`);
    down.setAttribute("visibility", graded ? "hidden" : "visible");
    up.setAttribute("visibility", graded ? "visible" : "hidden");
    down.setAttribute("class", `head${now ? " now" : ""}`);
    down.style.opacity = done || now ? "" : 0.4;
    if (now) drawing.svg.querySelector(".toggle, .node").before(line, down, up);  // above other edges
  }
}
