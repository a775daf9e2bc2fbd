/**
 * What the built-in SynthSAEBench-16k is, measured: `node bench/synth-bench.mjs [rows]`. Published: true L0 about 34, ρ_mm about 0.15.
 */
import { cpus } from 'node:os';
import { SynthBench } from '../dist/activations/synth-bench/synth-bench.js';

const BATCH = 1024;
/** Features whose nearest neighbour is looked for among all. */
const NEIGHBOURS = 256;

const rows = Number(process.argv[2] ?? 40 * BATCH);
const opening = performance.now();
const bench = await SynthBench.open(1, {}, (line) => console.error(line));
console.log(`${cpus()[0].model}; opened in ${((performance.now() - opening) / 1000).toFixed(1)} s`);

const { truth, features, d } = bench;
const x = new Float32Array(BATCH * d);
bench.sample(0, x);
const on = new Float64Array(features);
const began = process.cpuUsage();
for (let index = 0; index < rows / BATCH; index++) for (const i of bench.sample(index, x).index) on[i]++;
const { user, system } = process.cpuUsage(began);
console.log(`${Math.round((rows / (user + system)) * 1e6)} rows per second of one core`);
console.log(
  `${truth.edgeCount + bench.config.roots} features in ${bench.config.roots} trees, ${truth.edgeCount} edges`,
);

const inTree = (i) => truth.parent[i] !== -1 || truth.children(i).length > 0;
const groups = [
  ...[0, 1, 2, 3].map((depth) => [`depth ${depth}`, (i) => inTree(i) && truth.depth[i] === depth]),
  ['free', (i) => !inTree(i)],
  ['all', () => true],
];
console.log('               features   mean P(on)   L0 measured   L0 independent');
for (const [name, isIn] of groups) {
  const members = Array.from({ length: features }, (_, i) => i).filter(isIn);
  const total = (values) => members.reduce((sum, i) => sum + values[i], 0);
  const l0 = total(on) / rows;
  console.log(
    `${name.padEnd(12)} ${String(members.length).padStart(10)} ${(l0 / members.length).toFixed(5).padStart(12)}` +
      `${l0.toFixed(3).padStart(14)} ${total(bench.probability).toFixed(3).padStart(16)}`,
  );
}

let sum = 0;
for (let n = 0; n < NEIGHBOURS; n++) {
  const i = Math.floor((n * features) / NEIGHBOURS);
  let nearest = 0;
  for (let j = 0; j < features; j++) {
    if (j === i) continue;
    let cosine = 0;
    for (let k = 0; k < d; k++) cosine += bench.directions[i * d + k] * bench.directions[j * d + k];
    nearest = Math.max(nearest, Math.abs(cosine));
  }
  sum += nearest;
}
console.log(`ρ_mm ${(sum / NEIGHBOURS).toFixed(4)} over ${NEIGHBOURS} features`);
