import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { golden } from '../../src/golden/golden.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');

/** On the reference device, unless another is asked for: it starts at once. */
async function run(...argv: string[]): Promise<{ code: number; out: string[]; errors: string }> {
  const out: string[] = [];
  const errors: string[] = [];
  const code = await golden(['--device', 'reference', ...argv], {
    print: (line) => void out.push(line),
    complain: (line) => void errors.push(line),
  });
  return { code, out, errors: errors.join('\n') };
}

const failures = (out: readonly string[]): string[] => out.filter((line) => line.endsWith('FAIL'));

describe.each(['cpu', 'reference'])('golden numbers on %s', (device) => {
  it('agree', async () => {
    const { code, out, errors } = await run('--device', device, FIXTURES);
    expect(errors).toBe('');
    expect(failures(out)).toEqual([]);
    expect(out.at(-1)).toMatch(/^\d{3,} passed, 0 failed$/);
    expect(code).toBe(0);
  });
});

describe('golden', () => {
  let scratch: string;
  beforeEach(() => (scratch = mkdtempSync(join(tmpdir(), 'golden-'))));
  afterEach(() => rmSync(scratch, { recursive: true }));

  /** A copy of a case whose description, as text, was changed. */
  function changed(from: string, change: (text: string) => string): string {
    cpSync(join(FIXTURES, from), scratch, { recursive: true });
    const path = join(scratch, 'case.json');
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    return scratch;
  }

  /** Adds to the first element of a tensor in the copy. */
  function shift(tensor: string, by: number, within = 'tensors.safetensors'): void {
    const path = join(scratch, within);
    const file = SafetensorsFile.open(path);
    const { begin } = file.tensor(tensor);
    file.close();
    const bytes = readFileSync(path);
    bytes.writeFloatLE(bytes.readFloatLE(begin) + by, begin);
    writeFileSync(path, bytes);
  }

  it.each([
    ['sae/topk/a', 'code', 'code'],
    ['sae/topk/a', 'code_threshold', 'code_threshold'],
    ['sae/topk/a', 'grad.b_dec', 'grad.b_dec'],
    ['sae/topk/a', 'after5.param.decoder.weight', 'after5.param.decoder.weight'],
    ['sae/jumprelu/a', 'grad.threshold', 'grad.threshold'],
    ['sae/jumprelu-saelens/a', 'grad_tanh.W_dec', 'grad_tanh.W_dec'],
    ['sae/hsae-forest/a', 'grad.level1.W_dec', 'grad.level0.W_dec, grad.level1.W_dec'],
    ['sae/hsae-forest/a', 'x_hat_perturbed_0', 'x_hat_perturbed_0'],
    ['sae/hsae-forest/a', 'assignment.max_cosine_2', 'assignment.max_cosine_2'],
    ['sae/h-sae/a', 'x_hat_top', 'x_hat_top, view top'],
    ['sae/h-sae/a', 'grad.W_up', 'grad.W_up'],
    ['sae/h-sae/a', 'grad_paper_raw.top.encoder', 'grad_paper_raw.top.encoder'],
    ['sae/h-sae/a', 'grad_projected.expert.decoder', 'grad_projected.expert.decoder'],
    ['sae/h-sae/a', 'after3.param.expert.encoder', 'after3.param.expert.encoder'],
  ])('%s: finds an altered %s', async (folder, tensor, quantity) => {
    changed(folder, (text) => text);
    shift(tensor, 1e-5);
    const { code, out } = await run(scratch);
    expect(failures(out).map((line) => line.trim().slice(0, quantity.length))).toContain(quantity);
    expect(out.at(-1)).toMatch(/^\d+ passed, [12] failed$/);
    expect(code).toBe(1);
  });

  it.each([
    ['sae/topk/a', '"l2_loss": 7.9144', '"l2_loss": 7.9145', 'losses.l2_loss'],
    ['sae/topk/a', '"threshold_after": 1.0481', '"threshold_after": 1.0482', 'step_log[4].threshold_after'],
    [
      'sae/h-sae/a',
      '"global_norm_before_clip": 1.5202',
      '"global_norm_before_clip": 1.5203',
      'step_log[2].global_norm',
    ],
  ])('%s: finds %s altered', async (folder, before, after, quantity) => {
    changed(folder, (text) => text.replace(before, after));
    const { code, out } = await run(scratch);
    expect(failures(out)).toHaveLength(1);
    expect(failures(out)[0].trim()).toContain(quantity);
    expect(code).toBe(1);
  });

  it.each([
    ['"k": 3', '"k": 4'],
    ['"lr": 0.01', '"lr": 0.02'],
    ['"auxk_alpha": 0.03125', '"auxk_alpha": 0.04'],
    ['"warmup_steps": 2', '"warmup_steps": 3'],
    ['"decay_start": 3', '"decay_start": 4'],
    ['"threshold_beta": 0.9', '"threshold_beta": 0.8'],
    ['"threshold_start_step": 1', '"threshold_start_step": 2'],
    ['"k_anneal_steps": null', '"k_anneal_steps": 3'],
    ['"dead_feature_threshold": 100', '"dead_feature_threshold": 100000'],
    ['"top_k_aux": 6', '"top_k_aux": 5'],
  ])('reads %s from the case', async (before, after) => {
    changed('sae/topk/a', (text) => text.replace(before, after));
    expect((await run(scratch)).code).toBe(1);
  });

  it('names architectures and hyper-parameters that the library does not have', async () => {
    const unknown = await run(changed('sae/topk/a', (text) => text.replace('"topk"', '"sparse-toast"')));
    expect(unknown.code).toBe(2);
    expect(unknown.errors).toContain('unknown architecture "sparse-toast"');
    expect(unknown.errors).toMatch(/Known: topk, .*h-sae/);
    const bias = await run(changed('sae/h-sae/a', (text) => text.replace('"use_bias": false', '"use_bias": true')));
    expect(bias.code).toBe(2);
    expect(bias.errors).toContain('use_bias');
  });

  it('refuses what it cannot read, and still runs the rest', async () => {
    expect((await run(join(scratch, 'nowhere'))).errors).toContain('no such folder');
    expect((await run(scratch)).errors).toContain('no fixtures here');
    expect((await run()).errors).toContain('no folder given');
    expect((await run('--device', 'abacus', FIXTURES)).errors).toContain('unknown device "abacus"');
    expect((await run('--devise', 'cpu', FIXTURES)).code).toBe(2);
    changed('sae/topk/a', () => '{');
    expect((await run(scratch)).errors).toContain('case.json');
    rmSync(join(scratch, 'tensors.safetensors'));
    const { code, out } = await run(scratch, join(FIXTURES, 'optim'));
    expect(code).toBe(2);
    expect(out.at(-1)).toMatch(/^\d+ passed, 0 failed$/);
  });

  it('refuses tensors of another size', async () => {
    const { code, errors } = await run(changed('sae/topk/a', (text) => text.replace('"d_sae": 48', '"d_sae": 40')));
    expect(code).toBe(2);
    expect(errors).toContain('num_tokens_since_fired');
  });

  /** A copy of the case under the name of a metric. */
  function copy(metric: string): string {
    const folder = join(scratch, metric, 'a');
    cpSync(join(FIXTURES, 'metrics/synthsae/a'), folder, { recursive: true });
    return folder;
  }

  describe('metrics', () => {
    it.each(['post', 'post_conflict_free', 'zipf', 'compensation_factors', 'linear_factors'])(
      'synthsae: finds an altered %s',
      async (tensor) => {
        const folder = copy('synthsae');
        shift(tensor, 1e-3, join('synthsae/a', 'inputs.safetensors'));
        const { code, out } = await run(folder);
        expect(failures(out).map((line) => line.trim().split(' ')[0])).toEqual([tensor]);
        expect(code).toBe(1);
      },
    );

    it.each([
      ['hierarchy.json', '"scale_children_by_parent": true', '"scale_children_by_parent": false', 'post'],
      ['generated_hierarchy.json', '"feature_index": 16,', '"feature_index": 17,', 'generated_hierarchy: parents'],
      ['expected.json', '"clamped": 0', '"clamped": 1', 'compensation.clamped'],
    ])('synthsae: reads %s', async (file, before, after, quantity) => {
      const path = join(copy('synthsae'), file);
      writeFileSync(path, readFileSync(path, 'utf8').replace(before, after));
      const { code, out } = await run(path.endsWith('expected.json') ? path : join(path, '..'));
      expect(failures(out)[0].trim().slice(0, quantity.length)).toBe(quantity);
      expect(code).toBe(1);
    });

    it.each([
      ['hierarchy-pairs', '"hamming_or_per_token": 2.05', '"hamming_or_per_token": 2.06', 'hamming_or_per_token'],
      [
        'hierarchy-pairs',
        '"conditional_spearman_max": 0.428',
        '"conditional_spearman_max": 0.429',
        'conditional_spearman',
      ],
      [
        'hierarchy-pairs',
        '"activation_dominance": null',
        '"activation_dominance": 0.5',
        'activation_dominance: defined',
      ],
      ['hierarchy-tree', '"score_top3": 0.428', '"score_top3": 0.429', 'score_top3'],
      ['hierarchy-tree', '"5,6": 0.7058', '"5,6": 0.7059', 's_cov'],
    ])('%s: finds %s altered', async (metric, before, after, quantity) => {
      const folder = join(scratch, metric, 'a');
      cpSync(join(FIXTURES, 'metrics', metric, 'a'), folder, { recursive: true });
      const path = join(folder, 'expected.json');
      const text = readFileSync(path, 'utf8');
      expect(text).toContain(before);
      writeFileSync(path, text.replace(before, after));
      const { code, out } = await run(folder);
      expect(failures(out)[0]?.trim().slice(0, quantity.length)).toBe(quantity);
      expect(code).toBe(1);
    });

    it.each([
      ['W_dec', 'mcc'],
      ['x_hat', 'explained_variance'],
      ['code', 'l0'],
    ])('ground-truth: finds an altered %s', async (tensor, quantity) => {
      const folder = join(scratch, 'ground-truth', 'a');
      cpSync(join(FIXTURES, 'metrics/ground-truth/a'), folder, { recursive: true });
      shift(tensor, 0.5, join('ground-truth/a', 'inputs.safetensors'));
      const { code, out } = await run(folder);
      expect(
        failures(out).some((line) => line.trim().startsWith(quantity)),
        out.join('\n'),
      ).toBe(true);
      expect(code).toBe(1);
    });

    it.each([
      ['"recall": 1.0', '"recall": 0.9', 'perfect up to renaming: edge'],
      ['"skips_a_level": 0', '"skips_a_level": 1', 'perfect up to renaming: kinds of error'],
      ['"root_accuracy": 1.0', '"root_accuracy": 0.5', 'perfect up to renaming: depth error, root accuracy'],
    ])('tree-recovery: finds %s altered', async (before, after, quantity) => {
      const path = join(scratch, 'tree-recovery', 'a', 'expected.json');
      cpSync(join(FIXTURES, 'metrics/tree-recovery/a'), join(path, '..'), { recursive: true });
      writeFileSync(path, readFileSync(path, 'utf8').replace(before, after));
      const { code, out } = await run(path);
      expect(failures(out).map((line) => line.trim().split('  ')[0])).toEqual([quantity]);
      expect(code).toBe(1);
    });

    it('says which it has no adapter for', async () => {
      const { code, out } = await run(copy('toast'));
      expect(out[1]).toMatch(/skipped: no adapter for "toast"; there are: .*synthsae/);
      expect([code, out.at(-1)]).toEqual([0, '0 passed, 0 failed']);
    });

    it('refuses one that is damaged', async () => {
      const folder = copy('synthsae');
      writeFileSync(join(folder, 'hierarchy.json'), '{"roots": [{"feature_index": "one"}]}');
      const { code, errors } = await run(folder);
      expect(code).toBe(2);
      expect(errors).toContain('hierarchy.json');
      expect(errors).toContain('roots.0.feature_index');
    });
  });

  it('finds an altered vector', async () => {
    const path = join(scratch, 'clip.json');
    writeFileSync(path, readFileSync(join(FIXTURES, 'optim/clip.json'), 'utf8').replace('9.1827', '9.1828'));
    const { code, out } = await run(path);
    expect(failures(out)).toHaveLength(1);
    expect(code).toBe(1);
  });
});
