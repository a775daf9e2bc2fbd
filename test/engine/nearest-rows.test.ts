import { expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { nearestRows } from '../../src/engine/nearest-rows.ts';
import { onDevices } from '../sae/bench.ts';

onDevices((device) => {
  it('finds the largest cosine, the lowest of equal ones, also where all are negative, whatever the lengths', async () => {
    const [n, m, d] = [300, 7, 5];
    const random = new Random(1);
    const [rows, candidates] = [n, m].map((count) => Float32Array.from({ length: count * d }, () => random.normal()));
    // A row against which everything points.
    rows.set([-1, -1, -1, -1, -1], 0);
    candidates.forEach((value, i) => (candidates[i] = Math.abs(value)));
    candidates.copyWithin(6 * d, 2 * d, 3 * d);
    for (let k = 0; k < d; k++) candidates[4 * d + k] *= 30;
    device().beginStep();
    const { index, similarity } = await nearestRows(device(), rows, candidates, d);
    for (let r = 0; r < n; r++) {
      const row = rows.subarray(r * d, r * d + d);
      const cosines = Array.from({ length: m }, (_, c) => {
        const other = candidates.subarray(c * d, c * d + d);
        return row.reduce((sum, v, i) => sum + v * other[i], 0) / Math.hypot(...row) / Math.hypot(...other);
      });
      expect(similarity[r]).toBeCloseTo(Math.max(...cosines), 5);
      expect(cosines[index[r]]).toBeCloseTo(Math.max(...cosines), 5);
    }
    expect(similarity[0]).toBeLessThan(0);
    expect(index).toContain(2);
    expect(index).not.toContain(6);
  });
});
