import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { Worker as NodeWorker, WorkerOptions } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SaeforestError } from '../../src/core/errors.ts';
import { CONTROL } from '../../src/engine/cpu/commands.ts';
import { CpuDevice, type CpuOptions } from '../../src/engine/cpu/device.ts';
import type { WorkerSetup } from '../../src/engine/cpu/worker.ts';
import { Bench } from './devices.ts';

/** The threads that were started and their memory, so that a test can interfere. */
const started = vi.hoisted(() => [] as { worker: NodeWorker; memory: WebAssembly.Memory }[]);

vi.mock('node:worker_threads', async (original) => {
  const module = await original<typeof import('node:worker_threads')>();
  class Worker extends module.Worker {
    constructor(script: string | URL, options: WorkerOptions) {
      super(script, options);
      started.push({ worker: this, memory: (options.workerData as WorkerSetup).memory });
    }
  }
  return { ...module, Worker };
});

const open: CpuDevice[] = [];

async function create(options: CpuOptions): Promise<{ device: CpuDevice; bench: Bench }> {
  const device = await CpuDevice.create(options);
  open.push(device);
  const bench = new Bench(1e-5);
  bench.device = device;
  return { device, bench };
}

afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
  started.length = 0;
  vi.doUnmock('onnxruntime-node');
});

describe('memory', () => {
  it('does not grow with the number of steps', async () => {
    const { device, bench } = await create({ threads: 2 });
    const W = device.persistent('f32', 64, 32);
    device.write(
      W,
      Array.from({ length: 64 * 32 }, (_, i) => Math.sin(i)),
    );
    let settled = 0;
    for (let step = 0; step < 200; step++) {
      bench.begin();
      const x = bench.put('f32', new Float32Array(300 * 32).fill((step % 7) / 7), 300, 32);
      const [codes, out] = [device.scratchCodes(300, 64), device.scratch('f32', 300, 32)];
      device.kernels.encodeAtLeast(codes, x, W, null, 0.01);
      device.kernels.decode(out, codes, device.scratchLike(codes, 'f32'), W, null);
      await device.flush();
      if (step === 7) settled = device.bytes;
    }
    expect(device.bytes).toBe(settled);
  });

  it('reuses what was released', async () => {
    const { device } = await create({ threads: 1 });
    const before = device.bytes;
    for (let i = 0; i < 100; i++) {
      const [a, b] = [device.persistent('f32', 1000 + 100 * i), device.persistent('u32', 70)];
      device.release(a);
      device.release(b);
    }
    expect(device.bytes).toBe(before);
  });

  it('says so when 4 GiB do not suffice', async () => {
    const { device, bench } = await create({ threads: 2 });
    expect(() => device.persistent('f32', 2 ** 30)).toThrow('the CPU device addresses 4096 MiB');
    expect(() => device.scratch('f64', 2 ** 29)).toThrow('the CPU device addresses 4096 MiB');
    // 256 rows of scores are too much for the memory of one thread.
    const width = 4_200_000;
    const [x, W, codes] = [
      bench.put('f32', [1], 1, 1),
      device.scratch('f32', width, 1),
      device.scratchCodes(1, width, 1),
    ];
    device.kernels.encodeTop(codes, x, W, null, 0.5);
    const error: unknown = await device.flush().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SaeforestError);
    expect((error as SaeforestError).render()).toMatch(/out of device memory.*4096 MiB\n.*smaller width/);
  });
});

describe('threads', () => {
  it('a late notification about the program before does not end a flush', async () => {
    const { device, bench } = await create({ threads: 2, product: 'wasm' });
    const a = bench.put('f32', new Float32Array(2 ** 20).fill(1), 1024, 1024);
    const out = bench.out('f32', 1024, 1024);
    device.kernels.product(out, a, a, 'nt');
    const result = device.read(out, 2 ** 20 - 1);
    // The flush begins in a microtask.
    await Promise.resolve();
    const notified = Atomics.notify(new Int32Array(started[0].memory.buffer, 0, CONTROL.words), CONTROL.finished);
    expect(notified).toBe(1);
    expect([...(await result)]).toEqual([1024]);
  });

  it('a kernel that fails rejects the flush, and every later one', async () => {
    const { device, bench } = await create({ threads: 3 });
    const a = bench.vector([1]);
    device.emit('clear', null, 2 ** 32 - 1);
    device.kernels.scale(a, true, a, 1);
    await expect(device.flush()).rejects.toThrow('memory access out of bounds');
    device.kernels.scale(a, true, a, 1);
    await expect(device.read(a)).rejects.toThrow('memory access out of bounds');
  });

  it('a thread that ends rejects the flush instead of hanging', async () => {
    const { device, bench } = await create({ threads: 2 });
    await started[1].worker.terminate();
    const a = bench.vector([1]);
    device.kernels.scale(a, true, a, 1);
    await expect(device.flush()).rejects.toThrow('a worker thread ended');
  });

  it('a thread that ends in the middle of a program does, too', async () => {
    // Not with ONNX Runtime: to end its thread inside of a native call aborts the process.
    const { device, bench } = await create({ threads: 2, product: 'wasm' });
    const [a, b] = [bench.put('f32', new Float32Array(2 ** 20), 1024, 1024), device.scratch('f32', 1024, 1024)];
    for (let i = 0; i < 50; i++) device.kernels.product(b, a, a, 'nt');
    const result = expect(device.flush()).rejects.toThrow('a worker thread ended');
    await started[0].worker.terminate();
    await result;
  });
});

describe('the end', () => {
  it('after close nothing runs any more', async () => {
    const { device, bench } = await create({ threads: 2 });
    const a = bench.vector([1]);
    await device.close();
    device.kernels.scale(a, true, a, 1);
    await expect(device.flush()).rejects.toThrow('the device is closed');
  });

  it.each(['auto', 'wasm'])('the process ends by itself after close (product: %s)', async (product) => {
    const module = new URL('../../dist/engine/cpu/device.js', import.meta.url);
    const script = `
      import { CpuDevice } from '${module.href}';
      const device = await CpuDevice.create({ threads: 2, product: '${product}' });
      const [a, out] = [device.persistent('f32', 300, 4), device.scratch('f32', 300, 300)];
      device.kernels.product(out, a, a, 'nt');
      await device.flush();
      await device.close();
      console.log('closed');
    `;
    const cwd = fileURLToPath(new URL('../../', import.meta.url));
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd, timeout: 30_000 });
    expect(await run).toEqual({ stdout: 'closed\n', stderr: '' });
  });
});

describe('product', () => {
  it('is the portable one where ONNX Runtime does not load', async () => {
    vi.doMock('onnxruntime-node', () => {
      throw new Error('no native library for this platform');
    });
    const { device, bench } = await create({ threads: 1 });
    expect(device.info).toEqual({ name: 'cpu', threads: 1, product: 'wasm' });
    const [a, out] = [bench.matrix([[1, 2]]), bench.out('f32', 1, 1)];
    device.kernels.product(out, a, a, 'nt');
    expect([...(await bench.read(out, 'f32'))]).toEqual([5]);
  });

  it('is otherwise ONNX Runtime, unless asked', async () => {
    expect((await create({ threads: 1 })).device.info.product).toBe('onnxruntime');
    expect((await create({ threads: 1, product: 'wasm' })).device.info.product).toBe('wasm');
  });
});
