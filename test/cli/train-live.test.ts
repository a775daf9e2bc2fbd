/** `saeforest train --acts live`: a language model feeds the training. */
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Metric } from '../../src/evals/metric.ts';
import { BOS_FILES, overflowingModel, wordFile, wordModel } from '../lm/words.ts';
import { finalState, digests, latestOf, run, sets, SMALL, temporaryFolder, type Ended } from '../training/support.ts';

const LIVE = sets('live.context=16', 'live.window=256', 'live.separator="---"', 'heldOut=0.2');

const from = (model: string, text: string): string[] => ['--acts', 'live', '--model', model, '--text', text];

async function expectTrained(...argv: string[]): Promise<string> {
  const out = join(temporaryFolder(), 'run');
  const ended = await run('train', '--out', out, '--threads', '1', ...SMALL, ...LIVE, ...argv);
  expect(ended.code, ended.err).toBe(0);
  return out;
}

/** Runs a command with a Ctrl-C as soon as a condition holds. */
async function interruptedOnce(condition: () => boolean, ...argv: string[]): Promise<Ended> {
  const timer = setInterval(() => {
    if (!condition()) return;
    clearInterval(timer);
    process.emit('SIGINT');
  }, 2);
  return run(...argv).finally(() => clearInterval(timer));
}

/** The first step was logged. */
const isTraining = (out: string) => (): boolean =>
  existsSync(out) && readdirSync(out, { recursive: true }).some((name) => isLog(join(out, String(name))));

const isLog = (path: string): boolean => path.endsWith('metrics.jsonl') && statSync(path).size > 0;

function expectOneMessage({ code, out, err }: Ended, message: RegExp | string): void {
  expect([code, out], err).toEqual([2, '']);
  if (typeof message === 'string') expect(err).toContain(message);
  else expect(err).toMatch(message);
  expect(err.match(/^(error|bug): /gm)).toEqual(['error: ']);
  expect(err).not.toContain('    at ');
}

describe('train --acts live', () => {
  it('trains SAEs of several sites in one pass, each as if it were alone', async () => {
    const source = from(wordModel(), wordFile(60));
    const saes = [
      '--sae',
      'topk:layer=0',
      '--sae',
      'topk:layer=1',
      '--sae',
      'h-sae:layer=1,hook=mlp_out,normalize=scalar',
    ];
    const out = await expectTrained(...source, ...saes, '--tokens', '1600');
    const alone = {
      'topk-layer=0': ['--arch', 'topk', '--layer', '0'],
      'topk-layer=1': ['--sae', 'topk', '--layer', '1'],
      'h-sae': ['--arch', 'h-sae', '--layer', '1', '--hook', 'mlp_out', '--set', 'normalize=scalar'],
    };
    for (const [name, flags] of Object.entries(alone)) {
      const folder = await expectTrained(...source, ...flags, '--tokens', '1600');
      expect(finalState(join(out, name))).toEqual(finalState(folder));
      expect(readFileSync(join(out, name, 'config.yaml'), 'utf8')).toBe(
        readFileSync(join(folder, 'config.yaml'), 'utf8'),
      );
    }
    const config = parse(readFileSync(join(out, 'topk-layer=0', 'config.yaml'), 'utf8')) as Record<string, unknown>;
    expect(config).toMatchObject({ acts: 'live', live: { layer: 0, hook: 'resid_post', pack: false, window: 256 } });
  });

  it('goes on where it was interrupted, to the same bits', async () => {
    const flags = [...from(wordModel(), wordFile(60)), '--sae', 'topk:layer=0', '--sae', 'topk:layer=1', ...LIVE];
    const whole = await expectTrained(...flags, '--tokens', '3200', '--set', 'live.pack=true');
    const out = join(temporaryFolder(), 'run');
    const start = ['train', '--out', out, '--threads', '2', ...SMALL, ...flags, '--tokens', '3200'];
    const stopped = await interruptedOnce(isTraining(out), ...start, '--set', 'live.pack=true');
    expect(stopped.code, stopped.err).toBe(130);
    const resumed = await run('train', '--resume', '--out', out);
    expect(resumed.code, resumed.err).toBe(0);
    for (const name of ['topk-layer=0', 'topk-layer=1']) {
      expect(finalState(join(out, name))).toEqual(finalState(join(whole, name)));
    }
    expect((await run('train', '--resume', '--out', out)).err).toContain('nothing to do: the run is complete');
  });

  it('stops at once while the model is at work, and leaves nothing that was not trained', async () => {
    const before = process.listenerCount('SIGINT');
    const out = join(temporaryFolder(), 'deep', 'run');
    const slow = [...SMALL, ...LIVE, '--set', 'live.window=2000000', '--tokens', '3200'];
    const argv = ['train', '--out', out, '--threads', '1', ...from(wordModel(), wordFile(60)), '--arch', 'topk'];
    const listens = (): boolean => process.listenerCount('SIGINT') > before;
    const stopped = await interruptedOnce(listens, ...argv, '--layer', '1', ...slow);
    expect([stopped.code, stopped.out]).toEqual([130, '']);
    expect(stopped.err).toMatch(
      /^error: stopped while the language model was at work\n {2}try: run the same command again/m,
    );
    expect(existsSync(join(out, '..'))).toBe(false);
  });

  it('saves what was trained when it is stopped between two windows', async () => {
    const out = join(temporaryFolder(), 'run');
    const argv = ['--out', out, '--threads', '1', ...from(wordModel(), wordFile(60)), '--arch', 'topk', '--layer', '1'];
    const slow = [...SMALL, ...LIVE, '--set', 'live.window=2048', '--tokens', '204800'];
    const stopped = await interruptedOnce(isTraining(out), 'train', ...argv, ...slow);
    expect(stopped.code, stopped.err).toBe(130);
    expect(stopped.err).toMatch(/stopped after step \d+ of 6400; everything is saved\n {2}try: .*--resume/);
    const step = Number(/after step (\d+)/.exec(stopped.err)![1]);
    expect(latestOf(out)).toBe(join(out, 'checkpoints', String(step).padStart(7, '0')));
    expect(Object.keys(digests(latestOf(out)))).toContain('/state.json');
  });

  it('does not go on with another text, model or reading', async () => {
    const text = wordFile(60);
    const out = join(temporaryFolder(), 'run');
    const start = [...from(wordModel(), text), '--arch', 'topk', '--layer', '1', ...SMALL, ...LIVE];
    await interruptedOnce(isTraining(out), 'train', '--out', out, ...start, '--tokens', '3200');
    expectOneMessage(
      await run('train', '--resume', '--out', out, '--layer', '0'),
      /started with another configuration: live: was .*"layer":1.*, now .*"layer":0/,
    );
    const state = finalState(out);
    appendFileSync(text, '\n---\nthe cat');
    expectOneMessage(await run('train', '--resume', '--out', out), 'the activations are not those that this run was');
    expect(finalState(out)).toEqual(state);
  });

  it('is a run that can be evaluated, with the model that was trained on', async () => {
    const model = wordModel();
    const text = wordFile(60);
    for (const [flags, reason] of [
      [['--layer', '0', '--set', 'live.pack=true'], undefined],
      [['--layer', '1', '--hook', 'resid_pre'], undefined],
      [['--layer', '1', '--hook', 'mlp_out'], 'the SAE reads mlp_out of block 1: only the residual stream'],
    ] as const) {
      const out = await expectTrained(...from(model, text), '--arch', 'topk', ...flags, '--tokens', '1600');
      const { code, out: printed, err } = await run('eval', out, '--json');
      expect(code, err).toBe(0);
      const { core } = JSON.parse(printed) as { core: Record<string, Metric> & { skipped: Record<string, string> } };
      expect(core.variance_explained.n).toBeGreaterThan(100);
      if (reason === undefined) expect(core.ce_loss_score.value).toBeTypeOf('number');
      else expect(core.skipped.ce_loss_score).toContain(reason);
    }
    const out = await expectTrained(...from(model, text), '--arch', 'topk', '--layer', '0', '--tokens', '1600');
    expectOneMessage(await run('eval', out, '--model', overflowingModel(2)), 'not those that this run was trained on');
    rmSync(text);
    expectOneMessage(await run('eval', out), 'cannot read the text: no such file');
    expect(existsSync(latestOf(out))).toBe(true);
  });
});

describe('train --acts live refuses', () => {
  it.each([
    [['--arch', 'topk'], 'acts: live needs a language model and its text\n  in: command line\n  try: --model FOLDER'],
    [['--arch', 'topk', '--model', 'MODEL', '--text', 'TEXT'], 'live.layer: is missing: --layer N'],
    [['--arch', 'topk', '--model', 'MODEL', '--layer', '1'], 'live.text: is missing: --text FILE'],
    [['--arch', 'topk', '--text', 'TEXT', '--layer', '1'], 'live.model: is missing: --model FOLDER'],
    [['--sae', 'topk:layer=0', '--sae', 'topk', '--model', 'MODEL', '--text', 'TEXT'], 'live.layer: is missing'],
    [
      ['--sae', 'topk:layer=1', '--sae', 'topk:layer=1', '--model', 'MODEL', '--text', 'TEXT'],
      'have the same settings',
    ],
    [
      ['--arch', 'topk', '--model', 'MODEL', '--text', 'TEXT', '--layer', '2'],
      'there is no layer 2: the model has layers',
    ],
    [
      ['--arch', 'topk', '--model', 'MODEL', '--text', 'TEXT', '--layer', '1', '--hook', 'mlp'],
      /live\.hook: .*mlp_out/,
    ],
    [
      ['--arch', 'topk', '--model', 'MODEL', '--text', '/nowhere', '--layer', '1'],
      'cannot read the text: no such file',
    ],
    [['--arch', 'topk', '--model', '/nowhere', '--text', 'TEXT', '--layer', '1'], 'the model folder does not exist'],
    [
      ['--arch', 'topk', '--model', 'MODEL', '--text', 'TEXT', '--layer', '1', ...sets('live.contxt=3')],
      'unknown key "live.contxt"; did you mean "live.context"?',
    ],
    [
      ['--arch', 'topk', '--model', 'MODEL', '--text', 'TEXT', '--layer', '1', ...sets('live.context=13')],
      "a context of 13 tokens is longer than the model's 12",
    ],
  ])('%j', async (flags, message) => {
    const config = {
      architectures: ['T'],
      num_hidden_layers: 2,
      hidden_size: 8,
      vocab_size: 11,
      max_position_embeddings: 12,
    };
    const paths: Record<string, string> = {
      MODEL: wordModel({ ...BOS_FILES, 'config.json': config }),
      TEXT: wordFile(10),
    };
    const out = join(temporaryFolder(), 'run');
    const argv = flags.map((flag) => paths[flag] ?? flag);
    expectOneMessage(await run('train', '--acts', 'live', '--out', out, ...SMALL, ...argv), message);
    expect(existsSync(out)).toBe(false);
  });

  it('to be meant where it is not named, and sites in other runs', async () => {
    const out = join(temporaryFolder(), 'run');
    const tree = ['train', '--acts', 'synthetic:toy-tree', '--out', out, '--arch', 'topk'];
    expectOneMessage(
      await run(...tree, '--model', 'm', '--text', 't', '--layer', '1'),
      'a language model is given, but the activations come from synthetic:toy-tree',
    );
    expectOneMessage(
      await run('train', '--acts', 'synthetic:toy-tree', '--out', out, '--sae', 'topk:layer=3'),
      'layer is for live training: a folder holds the activations of one site\n  in: --sae topk:layer=3\n  try: --acts live',
    );
    expect(existsSync(out)).toBe(false);
  });

  it('to evaluate another run live', async () => {
    const out = join(temporaryFolder(), 'run');
    await run('train', '--acts', 'synthetic:toy-tree', '--out', out, '--arch', 'topk', '--tokens', '320', ...SMALL);
    expectOneMessage(await run('eval', out, '--acts', 'live'), 'the run was not trained live');
  });
});
