// Runs networks with ONNX Runtime: node run.mjs CASES.json RESULTS.json, after `npm ci --ignore-scripts` here. A case is {"model": path, "dtype": "float32", "float64" or
// "int64", "shape": [...], "values": [...]}, a result {"shape": [...], "values": [...]} or {"error": text}.
import { readFileSync, writeFileSync } from "node:fs";
import * as ort from "onnxruntime-node";

const [cases, results] = process.argv.slice(2);
const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int64: { from: (list) => BigInt64Array.from(list.map(BigInt)) },
};

async function run({ model, dtype, shape, values }) {
  try {
    const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
    const { output } = await session.run({ input: new ort.Tensor(dtype, arrays[dtype].from(values), shape) });
    return { shape: output.dims, values: Array.from(output.data) };
  } catch (error) {
    return { error: String(error) };
  }
}

const all = [];
for (const one of JSON.parse(readFileSync(cases))) all.push(await run(one));
writeFileSync(results, JSON.stringify(all));
