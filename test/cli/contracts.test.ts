/** What scripts rely on: documents on stdout, exit codes, and a program that starts without its heavy parts. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { commands } from '../../src/cli/commands.ts';
import { architectures } from '../../src/sae/registry.ts';
import { launch, run, sets, temporaryFolder, SMALL } from '../training/support.ts';

/** The one document that a command prints under `--json`. */
async function documentOf<T>(schema: z.ZodType<T>, ...argv: string[]): Promise<T> {
  const { code, out, err } = await run(...argv, '--json');
  expect(code, err).toBe(0);
  return schema.parse(JSON.parse(out));
}

const positive = z.number().positive();

describe('archs', () => {
  const whole = z.number().int().positive();
  const entry = z.strictObject({
    name: z.string(),
    paper: z.string().min(1),
    hierarchical: z.boolean(),
    views: z.array(z.string()).min(1),
    cost: z.strictObject({
      d: whole,
      parameters: whole,
      encode_flops: whole,
      decode_flops: whole,
      equal_parameter_width: whole,
      equal_flop_width: whole,
    }),
  });

  it('lists name, paper, hierarchical, views and cost', async () => {
    const list = await documentOf(z.array(entry), 'archs');
    const declared = architectures.map(({ name, hierarchical, views }) => ({ name, hierarchical, views }));
    expect(list).toMatchObject(declared);
    expect(list.find(({ name }) => name === 'topk')).toMatchObject({
      hierarchical: false,
      cost: { d: 768, equal_parameter_width: 16384 },
    });
    expect(list.find(({ name }) => name === 'h-sae')).toMatchObject({ hierarchical: true, views: ['full', 'top'] });
    const { out } = await run('archs');
    for (const { name, cost } of list)
      expect(out).toMatch(new RegExp(`^${name} .*${cost.parameters.toLocaleString('en')}`, 'm'));
  });

  it('gives the cost of other sizes', async () => {
    const settings = sets('width=64', 'k=4', 'atoms=2', 'subspace=3');
    const { cost } = await documentOf(z.looseObject({ cost: z.unknown() }), 'archs', 'h-sae', '--d', '10', ...settings);
    expect(cost).toEqual({
      d: 10,
      parameters: 2 * 64 * (10 + 3 * 10 + 2 * 3),
      encode_flops: 2 * (64 * 10 + 4 * (3 * 10 + 2 * 3)),
      decode_flops: 2 * 4 * (10 + 3 + 3 * 10),
      // (5888 − 10) / 21 and 1568 / 20
      equal_parameter_width: 280,
      equal_flop_width: 78,
    });
    // A key that only some architectures have is set where it exists.
    const all = await documentOf(z.array(entry), 'archs', ...sets('atoms=2'));
    expect(all.find(({ name }) => name === 'topk')!.cost.equal_parameter_width).toBe(16384);
    expect((await run('archs', 'topk', ...sets('atoms=2'))).err).toContain('--set atoms: unknown key "atoms"');
    expect((await run('archs', 'topk', ...sets('width=4', 'k=5'))).err).toContain('k: 5 active latents of width 4');
  });

  it('lists the keys of one with defaults and meanings', async () => {
    const key = z.strictObject({ key: z.string(), default: z.json().optional(), meaning: z.string().min(1) });
    const { keys } = await documentOf(entry.extend({ keys: z.array(key) }), 'archs', 'topk');
    expect(keys.find((entry) => entry.key === 'k')).toEqual({ key: 'k', default: 32, meaning: expect.any(String) });
    const { code, out } = await run('archs', 'h-sae');
    expect(code).toBe(0);
    for (const name of ['width', 'atoms', 'batch', 'toyTree']) expect(out).toContain(`\n${name} `);
    expect((await run('archs', 'hsae')).err).toContain('did you mean "h-sae"?');
  });
});

describe('bench step', () => {
  const shape = [
    '--d',
    '16',
    '--width',
    '32',
    '--k',
    '2',
    '--batch',
    '24',
    '--repeat',
    '3',
    '--warmup',
    '1',
    '--threads',
    '1',
  ];

  it.each(['topk', 'h-sae'])('reports medians of %s', async (arch) => {
    const timing = z.strictObject({
      step_ms: positive,
      encode_ms: positive,
      product_ms: positive,
      ratio: positive,
      tokens_per_s: positive,
      peak_rss_mb: positive,
      threads: z.literal(1),
      device: z.string().min(1),
    });
    const { ratio, step_ms, encode_ms } = await documentOf(timing, 'bench', 'step', '--arch', arch, ...shape);
    expect(ratio).toBeCloseTo(step_ms / encode_ms, 10);
  });

  it('refuses what cannot be timed', async () => {
    expect(await run('bench', 'step', ...shape, '--k', '33')).toMatchObject({ code: 2, out: '' });
    expect((await run('bench', 'step', '--arch', 'topk', '--k', '33', '--width', '32')).err).toContain('k: 33 active');
    expect((await run('bench', 'step', '--width', '0')).err).toContain('width: ');
    expect((await run('bench', 'step', '--product', 'gpu')).err).toContain('product: ');
  });
});

describe('doctor', () => {
  it('describes the machine', async () => {
    const report = z.strictObject({
      node: z.string().startsWith('v'),
      platform: z.string(),
      cpu: z.string(),
      cores: positive,
      memory_mb: positive,
      device: z.literal('cpu'),
      threads: positive,
      product: z.enum(['onnxruntime', 'wasm']),
      onnxruntime_missing: z.string().optional(),
    });
    const { product, onnxruntime_missing } = await documentOf(report, 'doctor');
    expect(onnxruntime_missing === undefined).toBe(product === 'onnxruntime');
    expect((await run('doctor')).out).toMatch(/^product +/m);
  });
});

describe('train', () => {
  it('prints one document, and everything else on stderr', async () => {
    const out = join(temporaryFolder(), 'run');
    const outcome = z.strictObject({
      runs: z.array(
        z.strictObject({
          name: z.string(),
          architecture: z.string(),
          folder: z.string(),
          step: positive,
          skipped_steps: z.literal(0),
          metrics: z.looseObject({
            loss: positive,
            variance_explained: z.number(),
            l0: positive,
            dead_fraction: z.number(),
          }),
        }),
      ),
      seconds: positive,
      tokens_per_s: positive,
      peak_rss_mb: positive,
    });
    const flags = [
      '--acts',
      'synthetic:toy-tree',
      '--sae',
      'topk',
      '--sae',
      'h-sae:atoms=3',
      '--tokens',
      '320',
      ...SMALL,
    ];
    const { runs } = await documentOf(outcome, 'train', '--out', out, ...flags);
    expect(runs.map(({ folder, step }) => [folder, step])).toEqual([
      [join(out, 'topk'), 10],
      [join(out, 'h-sae'), 10],
    ]);
    for (const { folder } of runs) {
      expect(readdirSync(folder).sort()).toEqual(['checkpoints', 'config.yaml', 'latest', 'metrics.jsonl', 'run.json']);
    }
  });
});

describe('help', () => {
  it('names every command', async () => {
    const { code, out } = await run('--help');
    expect(code).toBe(0);
    for (const { usage, summary } of commands) {
      expect(out).toContain(usage);
      expect(out).toContain(summary);
    }
    expect(await run('help')).toMatchObject({ code: 0, out });
    expect(await run()).toMatchObject({ code: 2, out });
    expect((await run('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each(commands.map(({ usage }) => usage))('%s: options and an example', async (usage) => {
    const name = usage.replace(/ [<[].*$/, '');
    const { code, out, err } = await run(...name.split(' '), '--help');
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('--json');
    expect(out).toMatch(new RegExp(`\\nExamples:\\n  saeforest ${name}`));
  });

  it('loads neither the engine nor ONNX Runtime', { timeout: 60_000 }, async () => {
    // A loader hook in front of the program writes down every module.
    const hook = `export const resolve = (name, context, next) => (process._rawDebug('module ' + name), next(name, context));`;
    const register = `import { register } from 'node:module'; register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(hook))});`;
    const options = `--import data:text/javascript,${encodeURIComponent(register)}`;
    const { code, err } = await launch(['train', '--help'], undefined, { NODE_OPTIONS: options });
    expect(code, err).toBe(0);
    const modules = err.match(/^module .*$/gm) ?? [];
    expect(modules).toContain('module ./commands.js');
    expect(modules.filter((name) => /onnxruntime|engine|training|tokenizers|protobuf/.test(name))).toEqual([]);
  });
});

describe('a failure', () => {
  it('shows a stack only to those who ask for it', { timeout: 60_000 }, async () => {
    const argv = ['train', '--resume', '--out', temporaryFolder(), '--json'];
    const plain = await launch(argv);
    expect(plain).toMatchObject({ code: 2, out: '' });
    expect(plain.err).toMatch(/^error: there is no run to resume\n {2}in: .*\n {2}try: .*\n$/);
    const debug = await launch(argv, undefined, { DEBUG: 'saeforest' });
    expect(debug).toMatchObject({ code: 2, out: '' });
    expect(debug.err).toMatch(/\n {4}at /);
  });
});
