#!/usr/bin/env node
/**
 * Our training step against a dense PyTorch step of the same shape, one after the other in the same run.
 * Prints a table and, per shape, one JSON line with the ratio. Build first (npm run build); needs a Python with torch:
 *   PYTHON=python3 node bench/peers/step.mjs [--arch topk] [--rounds 11] [--shape 192,3072] ...
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { StepBench } from '../../dist/cli/time-step.js';

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'topk' },
    rounds: { type: 'string', default: '11' },
    shape: { type: 'string', multiple: true, default: ['192,3072', '288,4608', '768,12288'] },
    k: { type: 'string', default: '32' },
    batch: { type: 'string', default: '2048' },
  },
});
const [k, batch, rounds] = [values.k, values.batch, values.rounds].map(Number);
const threads = availableParallelism();
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/** A Python process that does one step per line. */
async function startPeer(d, width) {
  const script = fileURLToPath(new URL('pytorch_step.py', import.meta.url));
  const options = Object.entries({ arch: values.arch, d, width, k, batch, threads }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  const child = spawn(process.env.PYTHON ?? 'python3', [script, ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await Promise.race([lines.next(), once(child, 'error').then(([error]) => Promise.reject(error))]);
  if (first.done) throw new Error('the PyTorch process ended before its first step: is torch installed?');
  return {
    version: first.value,
    step: async () => {
      child.stdin.write('\n');
      return Number((await lines.next()).value);
    },
    stop: () => child.stdin.end(),
  };
}

for (const shape of values.shape) {
  const [d, width] = shape.split(',').map(Number);
  const peer = await startPeer(d, width);
  const ours = await StepBench.create({ arch: values.arch, d, width, k, batch });
  for (let i = 0; i < 3; i++) {
    await ours.step();
    await peer.step();
  }
  const times = { step: [], encode: [], product: [], pytorch: [], ratio: [] };
  for (let round = 0; round < rounds; round++) {
    times.step.push(await ours.step());
    times.encode.push(await ours.encode());
    times.product.push(await ours.product());
    times.pytorch.push(await peer.step());
    times.ratio.push(times.pytorch.at(-1) / times.step.at(-1));
  }
  await ours.close();
  peer.stop();
  const result = Object.fromEntries(
    Object.entries(times).map(([name, list]) => [name, Number(median(list).toFixed(2))]),
  );
  console.log(
    `d ${d}, F ${width}: step ${result.step} ms, encode ${result.encode} ms (step/encode ${(result.step / result.encode).toFixed(2)}), ` +
      `product ${result.product} ms, PyTorch ${peer.version} ${result.pytorch} ms: ${result.ratio} times as fast`,
  );
  console.log(JSON.stringify({ arch: values.arch, d, width, k, batch, threads, torch: peer.version, ...result }));
}
