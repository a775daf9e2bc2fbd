/**
 * How much memory an evaluation needs on a long stream: every suite runs alone in a process of its own, on codes that cost next to nothing
 * (some 20 to 30 of 16 384 latents are on), so that what is measured is the suite. Needs `npm run build`.
 *
 *   node bench/streaming.mjs [--tokens 200k] [--width 16384] [--d 64] [--suites core,hierarchy]
 *
 * Memory is the peak of the process; `nothing` is what the same process needs without a suite. Seconds are those of the processor, all
 * threads together, and of the clock. `probing` and `languages` read texts: no more than their own bounds, however many tokens there are.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { count } from '../dist/cli/command.js';
import { CpuDevice } from '../dist/engine/cpu/device.js';
import { suites } from '../dist/evals/suites.js';
import { knownTruth } from './streaming/truth.mjs';
import { treeOfCodes } from './streaming/tree.mjs';
import { embeddedWorld } from './streaming/world.mjs';

const { values } = parseArgs({
  options: {
    tokens: { type: 'string', default: '200k' },
    width: { type: 'string', default: '16384' },
    d: { type: 'string', default: '64' },
    suites: { type: 'string' },
    /** What a suite has come to. */
    progress: { type: 'boolean', default: false },
    /** Set for the processes that this one starts. */
    measure: { type: 'string' },
  },
});
const [tokens, width, d] = [values.tokens, values.width, values.d].map((value) => count.parse(value));
const NOTHING = 'nothing';
/** What a suite reads; `treeOfCodes` by default. */
const INPUTS = { truth: knownTruth, absorption: knownTruth, probing: embeddedWorld, languages: embeddedWorld };

if (values.measure) await measure(values.measure);
else {
  console.log(`${tokens.toLocaleString('en')} tokens, ${width.toLocaleString('en')} latents, d ${d}`);
  const names = values.suites?.split(',') ?? Object.keys(suites);
  for (const name of [NOTHING, ...names]) {
    const child = spawnSync(
      process.execPath,
      [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--measure', name],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', values.progress ? 'inherit' : 'pipe'] },
    );
    const why = child.stderr?.trim() || child.signal;
    console.log(`${name.padEnd(12)}${child.status === 0 ? child.stdout.trim() : `failed: ${why}`}`);
    if (child.status !== 0) process.exitCode = 1;
  }
}

async function measure(name) {
  const device = await CpuDevice.create();
  try {
    const inputs = await (INPUTS[name] ?? treeOfCodes)({ device, tokens, width, d });
    const [began, used] = [performance.now(), process.cpuUsage()];
    const context = {
      device,
      model: 'this stream comes from no language model',
      ...inputs,
      normalization: { kind: 'none' },
      rows: tokens,
      batchRows: 2048,
      seed: 0,
      onProgress: values.progress ? reporter(name) : () => {},
    };
    const result = name === NOTHING ? undefined : await suites[name].measure(context);
    const { user, system } = process.cpuUsage(used);
    const seconds = [(user + system) / 1e6, (performance.now() - began) / 1000].map((s) => s.toFixed(1).padStart(8));
    const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
    const measured = result ? Object.values(result.metrics).filter(({ value }) => value !== null).length : 0;
    const left = result ? Object.keys(result.skipped).length : 0;
    console.log(
      `${String(megabytes).padStart(6)} MB ${seconds[0]} s of processor ${seconds[1]} s of clock  ${measured} metrics, ${left} left out`,
    );
  } finally {
    await device.close();
  }
}

/** A line for every new piece of work, with the memory and time that the ones before took. */
function reporter(name) {
  let last;
  return (what) => {
    if (what === last) return;
    last = what;
    const { rss } = process.memoryUsage();
    const seconds = process.cpuUsage().user / 1e6;
    console.error(`  ${name}: ${what} (${Math.round(rss / 2 ** 20)} MB, ${seconds.toFixed(1)} s so far)`);
  };
}
