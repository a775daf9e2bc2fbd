import { afterEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { completeFolder } from '../lm/folder.ts';
import { tinyTransformer } from '../lm/tiny.ts';
import { describeWithShared } from '../support/shared.ts';

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((out += String(chunk)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => ((err += String(chunk)), true));
  const code = await main(argv);
  vi.restoreAllMocks();
  return { code, out, err };
}

afterEach(() => vi.restoreAllMocks());

describe('lm inspect', () => {
  it('prints a table', async () => {
    const { model, residuals } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    const { code, out } = await run('lm', 'inspect', completeFolder(model));
    expect(code).toBe(0);
    expect(out).toMatch(/^architecture\s+TinyForCausalLM$/m);
    expect(out).toMatch(/^BOS\s+none$/m);
    expect(out).toMatch(/^inputs\s+input_ids, attention_mask, position_ids$/m);
    expect(out).toContain(`      resid_post  ${residuals[1]}\n`);
    expect(out.match(/^ {3}[01] {2}|attn_out|mlp_out/gm)).toHaveLength(2 + 4);
  });

  it('exits with 2 and one clear message', async () => {
    const { model } = tinyTransformer({ layers: 1, wiring: 'sequential' });
    const folder = completeFolder(model);
    const { code, out, err } = await run('lm', 'inspect', folder, '--json');
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('config.json says 2 layers, but 1 blocks were found');
    expect(err).not.toContain('    at ');
    expect((await run('lm', 'inspect')).code).toBe(2);
    expect((await run('lm', 'inspect', '/nowhere')).err).toContain('the model folder does not exist');
  });
});

describeWithShared('lm/stories3m', 'lm inspect of a real model', (folder) => {
  it('prints one JSON document', async () => {
    const { code, out, err } = await run('lm', 'inspect', folder, '--json');
    expect([code, err]).toEqual([0, '']);
    const residuals = Array.from({ length: 6 }, (_, layer) => ({
      layer,
      tensor: `/model/layers.${layer}/Add_1_output_0`,
    }));
    const { sites, ...info } = JSON.parse(out);
    expect(info).toEqual({
      architecture: 'LlamaForCausalLM',
      layers: 6,
      d: 192,
      vocab: 4096,
      residuals,
      context: 512,
    });
    expect(sites).toHaveLength(24);
    expect(sites.slice(-4)).toEqual([
      { layer: 5, hook: 'resid_pre', tensor: '/model/layers.4/Add_1_output_0' },
      { layer: 5, hook: 'attn_out', tensor: '/model/layers.5/self_attn/o_proj/MatMul_output_0' },
      { layer: 5, hook: 'mlp_out', tensor: '/model/layers.5/mlp/down_proj/MatMul_output_0' },
      { layer: 5, hook: 'resid_post', tensor: '/model/layers.5/Add_1_output_0' },
    ]);
  });
});
