import { expect, it } from 'vitest';
import type { Device, Tensor } from '../../src/engine/device.ts';
import { onEveryDevice } from './devices.ts';

/** A kernel that reads `tensor`, and the run of it. */
function use(device: Device, tensor: Tensor): Promise<void> {
  const out = device.scratch('f32', 4);
  // Depending on the device it is the record or the run that fails.
  return Promise.resolve()
    .then(() => device.kernels.scale(out, false, tensor, 1))
    .then(() => device.flush());
}

onEveryDevice((bench) => {
  it('scratch of the step before cannot be read, written or used', async () => {
    const { device } = bench;
    bench.begin();
    const stale = bench.vector([1, 2, 3, 4]);
    const codes = bench.openCodes([[{ latent: 0, value: 1 }]], 2);
    const gradient = device.scratchLike(codes, 'f32');
    await device.flush();
    bench.begin();
    for (const tensor of [stale, codes.value, gradient]) {
      await expect(use(device, tensor)).rejects.toThrow('no longer');
      await expect(device.read(tensor)).rejects.toThrow('no longer');
      expect(() => device.write(tensor, [1])).toThrow('no longer');
    }
    await use(device, bench.vector([1, 2, 3, 4]));
  });

  it('codes of open size have no content before their kernel has run', async () => {
    const { device } = bench;
    bench.begin();
    const codes = device.scratchCodes(3, 5);
    await expect(use(device, codes.value)).rejects.toThrow('not yet');
    await expect(device.read(device.scratchLike(codes, 'f32'))).rejects.toThrow('not yet');
  });

  it('scratchLike follows the codes, asked before or after they are resolved', async () => {
    const { device } = bench;
    bench.begin();
    const codes = bench.openCodes([[0, 2].map((latent) => ({ latent, value: 1 })), [], [{ latent: 1, value: 3 }]], 4);
    const before = device.scratchLike(codes, 'f64', 2);
    await device.flush();
    const after = device.scratchLike(codes, 'u32', 3);
    expect((await device.read(before)).length).toBe(6);
    expect((await device.read(after)).length).toBe(9);
    const fixed = device.scratchCodes(2, 4, 3);
    expect(device.scratchLike(fixed, 'f32', 2).shape).toEqual([12]);
    expect([...(await bench.read(fixed.rowPtr, 'u32'))]).toEqual([0, 3, 6]);
  });

  it('neither a write nor a new step may overtake the queue', async () => {
    const { device } = bench;
    bench.begin();
    const a = bench.vector([1, 2]);
    device.kernels.scale(a, true, a, 1);
    expect(() => device.write(a, [5, 6])).toThrow('queue is not empty');
    expect(() => device.beginStep()).toThrow('queue is not empty');
    expect([...(await device.read(a))]).toEqual([2, 4]);
    device.write(a, [7], 1);
    expect([...(await device.read(a, 1))]).toEqual([7]);
    expect([...(await device.read(a, 0, 1))]).toEqual([2]);
  });

  it('reads that are asked for together all see the result', async () => {
    const { device } = bench;
    bench.begin();
    const a = bench.put('f32', new Float32Array(100_000).fill(1));
    for (let i = 0; i < 10; i++) device.kernels.scale(a, true, a, 1);
    const parts = await Promise.all([0, 50_000, 99_999].map((at) => device.read(a, at, 1)));
    expect(parts.map(([value]) => value)).toEqual([1024, 1024, 1024]);
  });

  it('every flush waits for its own commands', async () => {
    const { device } = bench;
    bench.begin();
    const [count, one] = [bench.vector([0]), bench.vector([1])];
    for (let i = 1; i <= 2000; i++) {
      device.kernels.scale(count, true, one, 1);
      expect((await device.read(count))[0]).toBe(i);
    }
  });

  it('persistent tensors start as zeros, survive steps, and end with their release', async () => {
    const { device } = bench;
    const a = device.persistent('f32', 3);
    device.write(a, [1, 2, 3]);
    bench.begin();
    expect([...(await device.read(a))]).toEqual([1, 2, 3]);
    device.release(a);
    await expect(device.read(a)).rejects.toThrow('no longer');
    expect(() => device.release(a)).toThrow();
    const b = device.persistent('f32', 3);
    expect([...(await device.read(b))]).toEqual([0, 0, 0]);
    device.release(b);
  });

  it('scratch cannot be released', () => {
    bench.begin();
    expect(() => bench.device.release(bench.vector([1]))).toThrow();
  });

  it('refuses tensors that are not its own', async () => {
    bench.begin();
    const foreign: Tensor = { dtype: 'f32', shape: [4] };
    await expect(use(bench.device, foreign)).rejects.toThrow('another device');
  });
});
