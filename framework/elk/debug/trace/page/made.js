// How a number was made: the row and the column of a product, and a rule with its numbers. Null where it is not known
// how, or where not all numbers are there.

const whole = t => Boolean(t && !t.rows);
const four = value => text(value, 4);
const signed = value => (value < 0 ? `(${four(value)})` : four(value));
const formula = (...parts) => paragraph("formula", parts.join(""));

// A sum of products as a table: one factor above the other, and what they give.
function sumOfProducts(name, total, rows, extra) {
  const line = (label, list) => row(make("th", {scope: "row"}, label), list.map(value => make("td", {}, four(value))));
  const [[nameA, a], [nameB, b]] = rows, products = a.map((v, k) => v * b[k]);
  const table = make("table", {}, make("tbody", {}, line(nameA, a), line(`× ${nameB}`, b), line("=", products)));
  const added = products.map((v, k) => (k && v >= 0 ? "+ " : "") + four(v)).join(" ");
  return make("div", {}, a.length <= 16 && table,
    formula(name, " = ", a.length <= 8 ? added : `the sum of ${a.length} products`,
      extra ? ` + ${extra[0]}` : "", ` = ${four(total)}`, extra ? `, where ${extra[0]} = ${four(extra[1])}` : ""));
}

const part = (values, start, step, n) => Array.from({length: n}, (_, k) => Number(values[start + k * step]));

// An element of what linear or a product of matrices gives.
function madeOf(s, entry, element) {
  const [a, b, bias] = entry.inputs.map(i => s.entries[i].value);
  if (!["linear", "matmul", "matmul_nt", "matmul_tn"].includes(entry.operation)) return null;
  if (![a, b].every(whole) || a.shape.length !== 2 || b.shape.length !== 2 || (bias && !whole(bias))) return null;
  const turnedA = entry.operation === "matmul_tn", turnedB = ["linear", "matmul_nt"].includes(entry.operation);
  const columns = entry.value.shape[1], i = Math.floor(element / columns), j = element % columns;
  const n = turnedA ? a.shape[0] : a.shape[1];
  const left = part(a.values, turnedA ? i : i * n, turnedA ? a.shape[1] : 1, n);
  const right = part(b.values, turnedB ? j * n : j, turnedB ? 1 : b.shape[1], n);
  const names = entry.inputs.map((_, k) => symbol(entry, k));
  return sumOfProducts(`y[${i}, ${j}]`, entry.value.values[element], [
    [`${turnedA ? "column" : "row"} ${i} of ${names[0]}`, left],
    [`${turnedB ? "row" : "column"} ${j} of ${names[1]}`, right]
  ], bias && [`${names[2]}[${j}]`, bias.values[j]]);
}

// dx of a linear layer, of its weights and of its bias.
function linearMade(s, entry, k, element, result) {
  const [x, w] = entry.inputs.map(i => s.entries[i].value), {gradient: dy} = entry;
  if (![x, w, dy].every(whole) || x.shape.length !== 2) return null;
  const [rows, n] = x.shape, m = w.shape[0], i = Math.floor(element / n), j = element % n;
  if (k === 0)
    return sumOfProducts(`dx[${i}, ${j}]`, result, [[`row ${i} of dy`, part(dy.values, i * m, 1, m)],
      [`column ${j} of W`, part(w.values, j, n, m)]]);
  if (k === 1)
    return sumOfProducts(`dW[${i}, ${j}]`, result, [[`column ${i} of dy`, part(dy.values, i, m, rows)],
      [`column ${j} of x`, part(x.values, j, n, rows)]]);
  const all = part(dy.values, element, m, rows);
  return formula(`db[${element}] = `, all.length <= 12 ? all.map(signed).join(" + ") : `the sum of ${rows} numbers`, ` = ${four(result)}`);
}

// The rule of an operation that works element by element, with numbers: words before "=" are the rule's.
function elementMade(entry, k, {x, y, dy, other, result}) {
  const [d, v, o] = [signed(dy), signed(x), other == null ? "" : signed(other)];
  switch (entry.operation) {
    case "tanh": return `${d} · (1 − ${signed(y)}²)`;
    case "sigmoid": return `${d} · ${four(y)} · (1 − ${four(y)})`;
    case "relu": return x > 0 ? `${four(dy)}, as x = ${four(x)} is above 0` : `0, as x = ${four(x)} is not above 0`;
    case "leaky_relu": return x > 0 ? `${four(dy)}, as x = ${four(x)} is above 0` : `${d} · ${four(x === 0 ? 0.01 : y / x)}, as x = ${four(x)} is not above 0`;
    case "softsign": return `${d} / (1 + ${four(Math.abs(x))})²`;
    case "square": return `${d} · 2 · ${v}`;
    case "sqrt": return `${d} / (2 · ${four(y)})`;
    case "exp": return `${d} · ${four(y)}`;
    case "log": return `${d} / ${v}`;
    case "neg": return `−${d}`;
    case "add": return four(dy);
    case "sub": return k === 0 ? four(dy) : `−${d}`;
    case "mul": return other == null ? null : `${d} · ${o}`;
    case "div": return other == null ? null : k === 0 ? `${d} / ${o}` : `−${d} · ${signed(y)} / ${v}`;
    case "binary_cross_entropy": return k > 0 || other == null ? null : `${d} · (${four(1 / (1 + Math.exp(-x)))} − ${four(other)})`;
    default: return dy && Number.isFinite(result / dy) ? `${d} · ${signed(result / dy)}, the slope here` : null;
  }
}

// An element of what the rule of input k returns.
function flowMade(s, entry, k, element) {
  const input = s.entries[entry.inputs[k]], {gradient: dy, value: y} = entry, flow = entry.flow[k];
  const dx = flow && (flow.dx || input.gradient);
  if (![dx, dy, y, input.value].every(whole)) return null;
  const name = `d${symbol(entry, k)}`, result = Number(dx.values[element]);
  if (entry.operation === "linear") return linearMade(s, entry, k, element, result);
  const at = dx.shape.length ? place(element, dx.shape) : "";
  if (entry.operation === "sum" && dy.values.length === 1) return formula(`${name}${at} = dy = ${four(result)}`);
  if (String(dx.shape) !== String(dy.shape)) return null;
  const partner = entry.inputs.length === 2 ? s.entries[entry.inputs[1 - k]].value : null;
  const other = partner && whole(partner) && [1, dy.values.length].includes(partner.values.length)
    ? Number(partner.values[partner.values.length === 1 ? 0 : element]) : null;
  const made = elementMade(entry, k, {
    x: Number(input.value.values[element]), y: Number(y.values[element]), dy: Number(dy.values[element]), other, result
  });
  if (!made) return null;
  const ends = made.includes(", as ") || made === four(result);
  return formula(`${name}${at} = ${made}`, ends ? "" : ` = ${four(result)}`);
}

// An element of a parameter, before and after the update.
function updateMade(s, i, update, element) {
  const {value, gradient} = s.entries[i], at = value.shape.length ? place(element, value.shape) : "";
  if (![value, update.then].every(whole)) return null;
  const before = Number(value.values[element]), after = Number(update.then.values[element]);
  return formula(`w${at} = ${four(before)} `, update.rate != null && whole(gradient)
    ? `− ${four(update.rate)} · ${signed(Number(gradient.values[element]))}`
    : `${after < before ? "−" : "+"} ${four(Math.abs(after - before))}`, ` = ${four(after)}`);
}
