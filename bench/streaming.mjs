/**
 * How much memory an evaluation needs on a long stream: every suite runs alone in a process of its own, on a synthetic SAE whose codes cost
 * next to nothing (a tree of 16 384 latents, 16 families active per token), so that what is measured is the suite. Needs `npm run build`.
 * Suites that need a language model or the weights of a run leave out what they cannot measure.
 *
 *   node bench/streaming.mjs [--tokens 200k] [--width 16384] [--d 64] [--suites core,hierarchy]
 *
 * Memory is the peak of the process; `nothing` is what the same process needs without a suite.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { count } from '../dist/cli/command.js';
import { CpuDevice } from '../dist/engine/cpu/device.js';
import { suites } from '../dist/evals/suites.js';
import { Forest } from '../dist/forest/forest.js';

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '200k' },
    width: { type: 'string', default: '16384' },
    d: { type: 'string', default: '64' },
    suites: { type: 'string' },
    /** Set for the processes that this one starts. */
    measure: { type: 'string' },
  },
});
const [tokens, width, d] = [values.tokens, values.width, values.d].map((value) => count.parse(value));
const ROOTS = Math.max(1, Math.floor(width / 16));
const FAMILIES = Math.min(16, ROOTS);
const NOTHING = 'nothing';
const DOCUMENT = 100;

if (values.measure) await measure(values.measure);
else {
  console.log(`${tokens.toLocaleString('en')} tokens, ${width.toLocaleString('en')} latents, d ${d}`);
  const names = values.suites?.split(',') ?? Object.keys(suites);
  for (const name of [NOTHING, ...names]) {
    const child = spawnSync(
      process.execPath,
      [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--measure', name],
      { encoding: 'utf8' },
    );
    console.log(`${name.padEnd(12)}${child.status === 0 ? child.stdout.trim() : `failed: ${child.stderr.trim()}`}`);
    if (child.status !== 0) process.exitCode = 1;
  }
}

async function measure(name) {
  const device = await CpuDevice.create();
  const began = performance.now();
  try {
    const context = {
      device,
      sae: treeOfCodes(device),
      source: stream(),
      normalization: { kind: 'none' },
      model: 'this stream comes from no language model',
      rows: tokens,
      batchRows: 2048,
      seed: 0,
      onProgress: () => {},
    };
    const result = name === NOTHING ? undefined : await suites[name].measure(context);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
    const measured = result ? Object.values(result.metrics).filter(({ value }) => value !== null).length : 0;
    const left = result ? Object.keys(result.skipped).length : 0;
    console.log(`${String(megabytes).padStart(6)} MB  ${seconds.padStart(8)} s  ${measured} metrics, ${left} left out`);
  } finally {
    await device.close();
  }
}

/** Two levels: some latents are roots, all others their children; a child fires with its parent. */
function treeOfCodes(device) {
  const parent = Int32Array.from({ length: width }, (_, latent) => (latent < ROOTS ? -1 : latent % ROOTS));
  const dictionary = device.persistent('f32', width, d);
  device.write(
    dictionary,
    Float32Array.from({ length: width * d }, (_, at) => noise(at)),
  );
  let row = 0;
  return {
    architecture: 'synthetic',
    d,
    width,
    views: [{ name: 'full', from: 0, to: width }],
    outputBias: null,
    forest: new Forest(parent),
    encode(_tape, x) {
      const rows = x.shape[0];
      const perRow = 2 * FAMILIES;
      const codes = device.scratchCodes(rows, width, perRow);
      const index = new Uint32Array(rows * perRow);
      for (let r = 0; r < rows; r++, row++) {
        const entries = index.subarray(r * perRow, (r + 1) * perRow);
        for (let i = 0; i < FAMILIES; i++) {
          // One root of every sixteenth, and one of its children.
          const root = Math.floor(((i + unit(row * FAMILIES + i)) * ROOTS) / FAMILIES);
          const generation = 1 + Math.floor(unit(row * FAMILIES + i + 0.5) * (Math.floor(width / ROOTS) - 1));
          entries[i] = root;
          entries[FAMILIES + i] = Math.min(width - 1, generation * ROOTS + root);
        }
        entries.sort();
      }
      device.write(codes.index, index);
      device.write(
        codes.value,
        Float32Array.from(index, (latent, at) => 0.1 + unit(latent + 31 * at)),
      );
      return codes;
    },
    dictionary: () => dictionary,
  };
}

/** Documents of equal length. */
function stream() {
  const fill = (out, from) => {
    for (let at = 0; at < out.length; at++) out[at] = noise(from * d + at);
  };
  return {
    d,
    trainRows: Infinity,
    heldOutRows: tokens,
    normalization: { kind: 'none' },
    identity: { kind: 'synthetic', hash: 'synthetic', description: null },
    batch: async (index, out) => fill(out, index * (out.length / d)),
    async heldOut(start, out, origins) {
      const rows = Math.max(0, Math.min(out.length / d, tokens - start));
      fill(out.subarray(0, rows * d), start);
      if (!origins) return rows;
      for (let r = 0; r < rows; r++) {
        origins.tokens[r] = (start + r) % 997;
        origins.pos[r] = (start + r) % DOCUMENT;
        origins.doc[r] = Math.floor((start + r) / DOCUMENT);
      }
      return rows;
    },
    close: async () => {},
  };
}

/** Uniform in [0, 1): an integer hash, fast enough not to be what is measured. */
function unit(n) {
  let h = Math.imul(Math.floor(2 * n) + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return ((h ^ (h >>> 13)) >>> 0) / 2 ** 32;
}

function noise(n) {
  return 2 * unit(n) - 1;
}
