import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { besideNull, Bootstrap, insufficient, metric, type SuiteResult } from '../../src/evals/metric.ts';
import { readResult, writeResult } from '../../src/evals/result-files.ts';
import { documentUnits } from '../../src/evals/units.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { temporaryFolder } from '../activations/folders.ts';

const folder = temporaryFolder();
afterAll(folder.remove);
const evals = join(folder.path, 'evals');
beforeEach(() => rmSync(evals, { recursive: true, force: true }));

const meaning = { n: 3, unit: 'share', definition: 'a share' };
const bootstrap = new Bootstrap(documentUnits([0, 1, 2]), 0);
const score = bootstrap.ratio(Float64Array.of(1, 0, 2), Float64Array.of(1, 0, 4), {
  unit: 'share',
  definition: 'a / b',
});
const result: SuiteResult = {
  metrics: {
    score: besideNull(score, 'shuffled', Float64Array.of(0.1, NaN, 0.3), 'permuted'),
    undefined_score: metric(NaN, NaN, NaN, meaning),
    few: insufficient('2 letters, 20 are needed', meaning),
  },
  views: { top: { score: metric(0.5, 0.4, 0.6, meaning), drawn: score } },
  skipped: { ce_sae: 'no language model' },
};
const measured = { step: 8, acts: 'acts', data: { kind: 'shards', hash: 'ab' }, sequences: null };

describe('a stored result', () => {
  it('comes back as it was: views, nulls, undefined values and resamples', () => {
    expect(score.replicates!.some(Number.isNaN)).toBe(true);
    writeResult(folder.path, 'toy', { result, measured });
    expect(readResult(folder.path, 'toy')).toEqual({ result, measured });
    expect(readdirSync(evals).sort()).toEqual(['toy.json', 'toy.replicates.safetensors']);
    expect(readFileSync(join(evals, 'toy.json'), 'utf8')).not.toContain('replicates');
  });

  it('comes back without views, resamples and reasons', () => {
    const plain: SuiteResult = { metrics: { one: metric(1, 0, 2, meaning) }, views: {}, skipped: {} };
    writeResult(folder.path, 'toy', { result: plain, measured: {} });
    expect(readResult(folder.path, 'toy')).toEqual({ result: plain, measured: {} });
    rmSync(join(evals, 'toy.replicates.safetensors'));
    expect(readResult(folder.path, 'toy')).toEqual({ result: plain, measured: {} });
  });

  it('replaces the one before, whose resamples do not stay', () => {
    writeResult(folder.path, 'toy', { result, measured });
    const other: SuiteResult = { metrics: { score: metric(1, 0, 2, meaning) }, views: {}, skipped: {} };
    writeResult(folder.path, 'toy', { result: other, measured });
    expect(readResult(folder.path, 'toy')!.result.metrics.score.replicates).toBeUndefined();
  });

  it('is undefined where nothing was measured', () => {
    expect(readResult(folder.path, 'toy')).toBeUndefined();
  });

  it.each([
    ['cut off', '{"toy": {"score": {"val', 'not valid JSON'],
    ['of another suite', '{"core": {}, "measured": {}}', 'not the result of the suite toy'],
    ['without what was measured', '{"toy": {}}', 'measured'],
    ['with a metric that is none', '{"toy": {"score": 3}, "measured": {}}', 'score'],
    ['with a text for a value', '{"toy": {"score": {"value": "3"}}, "measured": {}}', 'score'],
    ['no object', '[]', 'not the result of the suite toy'],
  ])('that is damaged is refused: %s', (_, text, message) => {
    mkdirSync(evals, { recursive: true });
    writeFileSync(join(evals, 'toy.json'), text);
    expect(() => readResult(folder.path, 'toy')).toThrow(InputError);
    expect(() => readResult(folder.path, 'toy')).toThrow(message);
  });

  it('with damaged resamples is refused', () => {
    writeResult(folder.path, 'toy', { result, measured });
    truncateSync(join(evals, 'toy.replicates.safetensors'), 100);
    expect(() => readResult(folder.path, 'toy')).toThrow(InputError);
    const data = new Float32Array(3);
    writeSafetensors(join(evals, 'toy.replicates.safetensors'), { '/score': { dtype: 'F32', shape: [3], data } });
    expect(() => readResult(folder.path, 'toy')).toThrow('F32');
  });
});
