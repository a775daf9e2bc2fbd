/** Where the built kernels and the worker script are: always in `dist/`, also when this file runs from `src/` (tests). */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SaeforestError } from '../../core/errors.ts';

const root = new URL('../../../', import.meta.url);

export const workerScript = new URL('dist/engine/cpu/worker.js', root);

/** Compiles a kernel module. @throws SaeforestError when the project has not been built */
export function loadKernels(name: 'shared' | 'dense'): WebAssembly.Module {
  const path = fileURLToPath(new URL(`dist/kernels/${name}.wasm`, root));
  if (!existsSync(path)) throw new SaeforestError('the kernels are not built', { where: path, hint: 'npm run build' });
  return new WebAssembly.Module(readFileSync(path));
}
