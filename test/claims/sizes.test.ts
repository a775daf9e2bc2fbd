/** What both sides of a comparison cost, from their settings alone. */
import { describe, expect, it } from 'vitest';
import { costRatios, flatOfEqualFlops, flatOfEqualParameters } from '../../src/claims/sizes.ts';
import type { Lab } from '../../src/claims/lab.ts';
import type { Spec } from '../../src/claims/spec.ts';

const d = 16;
const lab = { width: () => Promise.resolve(d) } as unknown as Lab;
const flat = (width: number, k = 4): Spec => ({ data: 'W', arch: 'topk', keys: { width, k } });
const experts: Spec = { data: 'W', arch: 'h-sae', keys: { width: 32, k: 4, atoms: 8, subspace: 4 } };

describe('cost of both sides', () => {
  it('is equal for equal widths, whatever is active', async () => {
    expect(await costRatios(lab, flat(64), flat(64, 9))).toEqual({ parameters: 1, encodeFlops: 1 });
  });

  it('is counted: encoder, decoder and both biases of a flat SAE', async () => {
    const { parameters, encodeFlops } = await costRatios(lab, flat(128), flat(64));
    expect(parameters).toBeCloseTo((2 * 128 * d + 128 + d) / (2 * 64 * d + 64 + d), 12);
    expect(encodeFlops).toBe(2);
  });

  it('is that of a flat SAE of equal parameters, or of equal FLOPs, up to a latent', async () => {
    const large = await costRatios(lab, experts, flat(await flatOfEqualParameters(lab, experts)));
    const cheap = await costRatios(lab, experts, flat(await flatOfEqualFlops(lab, experts)));
    expect(Math.abs(large.parameters - 1)).toBeLessThan(0.01);
    expect(Math.abs(cheap.encodeFlops - 1)).toBeLessThan(0.02);
    expect(large.encodeFlops).toBeLessThan(1);
    expect(cheap.parameters).toBeGreaterThan(1);
  });
});
