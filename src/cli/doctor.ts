import { z } from 'zod';
import { defineCommand } from './command.ts';

export const doctor = defineCommand({
  usage: 'doctor',
  summary: 'Say what this machine offers and which parts of the engine are active.',
  flags: [],
  examples: ['saeforest doctor'],
  schema: z.strictObject({}),
  async run(_options, terminal) {
    const { availableParallelism, cpus, totalmem } = await import('node:os');
    const { CpuDevice, whyNoOnnxRuntime } = await import('../engine/cpu/device.ts');
    const missing = await whyNoOnnxRuntime();
    const device = await CpuDevice.create();
    const { threads, product } = device.info;
    await device.close();
    const report = {
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      memory_mb: Math.round(totalmem() / 2 ** 20),
      device: 'cpu',
      threads,
      product,
      ...(missing === undefined ? {} : { onnxruntime_missing: missing }),
    };
    terminal.result(report, [
      `node      ${report.node} on ${report.platform}`,
      `machine   ${report.cpu}, ${report.cores} cores, ${report.memory_mb} MB`,
      `device    cpu, ${threads} worker threads, sparse kernels in WebAssembly SIMD`,
      product === 'onnxruntime'
        ? 'product   native ONNX Runtime'
        : `product   portable WebAssembly, about three times slower: the native ONNX Runtime does not load (${missing})`,
    ]);
  },
});
