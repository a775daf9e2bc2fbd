import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DoubleBuffer } from '../../src/activations/double-buffer.ts';

interface Log {
  filled: number[];
  /** Buffers that are being filled. */
  busy: Set<number[]>;
}

/** Fills a buffer with its number, a moment later. */
function numbered(log: Log, end?: number): DoubleBuffer<number[], number[]> {
  const fill = async (index: number, buffer: number[]): Promise<number[]> => {
    expect(log.busy.has(buffer)).toBe(false);
    log.busy.add(buffer);
    log.filled.push(index);
    await new Promise(setImmediate);
    log.busy.delete(buffer);
    if (index === 13) throw new Error('unlucky');
    buffer[0] = index;
    return buffer;
  };
  return new DoubleBuffer(() => [-1], fill, end);
}

describe('a double buffer', () => {
  it('gives any stretch, and reads each once where they are asked for in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(9), { maxLength: 20 }), async (indices) => {
        const buffer = numbered({ filled: [], busy: new Set() });
        for (const index of indices) expect(await buffer.get(index)).toEqual([index]);
        await buffer.close();
      }),
    );
    const log: Log = { filled: [], busy: new Set() };
    const buffer = numbered(log, 5);
    for (const index of [0, 0, 1, 2, 2, 3, 4]) expect(await buffer.get(index)).toEqual([index]);
    await buffer.close();
    expect(log.filled).toEqual([0, 1, 2, 3, 4]);
    expect(await buffer.get(6)).toEqual([6]);
  });

  it('reports a failure to the call that asks for it, and tries again', async () => {
    const log: Log = { filled: [], busy: new Set() };
    const buffer = numbered(log);
    expect(await buffer.get(12)).toEqual([12]);
    await expect(buffer.get(13)).rejects.toThrow('unlucky');
    await expect(buffer.get(13)).rejects.toThrow('unlucky');
    expect(await buffer.get(14)).toEqual([14]);
    await buffer.close();
    expect(log.filled.filter((index) => index === 13)).toHaveLength(2);
  });
});
