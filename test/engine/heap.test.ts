import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from '../../src/engine/cpu/heap.ts';

const MIB = 2 ** 20;
const newHeap = (): Heap => new Heap(new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true }), 1000);

describe('heap', () => {
  it('never hands out the same bytes twice, and gets everything back', () => {
    const actions = fc.array(fc.record({ bytes: fc.nat(100_000), free: fc.nat() }), { maxLength: 60 });
    fc.assert(
      fc.property(actions, (steps) => {
        const heap = newHeap();
        const empty = heap.bytes;
        const live: { offset: number; bytes: number }[] = [];
        for (const { bytes, free } of steps) {
          live.push({ offset: heap.take(bytes), bytes });
          if (free % 2) for (const span of live.splice(free % live.length, 2)) heap.free(span.offset, span.bytes);
          const sorted = live.toSorted((a, b) => a.offset - b.offset);
          sorted.forEach((span, i) => {
            expect(span.offset % 64).toBe(0);
            const end = span.offset + Math.max(span.bytes, 1);
            expect(end).toBeLessThanOrEqual(sorted[i + 1]?.offset ?? heap.memory.buffer.byteLength);
          });
        }
        for (const { offset, bytes } of live) heap.free(offset, bytes);
        expect(heap.bytes).toBe(empty);
      }),
    );
  });

  it('stays flat when the sizes of a step creep up', () => {
    const heap = newHeap();
    for (let step = 0; step < 200; step++) {
      heap.resetArena();
      for (const bytes of [100, 17 * MIB + 70_000 * step, 5000, 20 * MIB + 70_000 * step, 3 * MIB]) heap.scratch(bytes);
      if (step % 50 === 0) heap.take(1000);
    }
    expect(heap.memory.buffer.byteLength).toBeLessThan(2 * (17 + 20 + 3 + 28 + 16) * MIB);
  });

  it('says how much is missing beyond 4 GiB', () => {
    const heap = newHeap();
    heap.take(1000 * MIB);
    expect(() => heap.take(3500 * MIB)).toThrow(/4500 MiB needed, the CPU device addresses 4096 MiB/);
    expect(heap.take(100)).toBeGreaterThan(0);
  });
});
