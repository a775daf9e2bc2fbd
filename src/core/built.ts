/** Where built files are: always in `dist/`, also when the program runs from `src/` (tests). */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SaeforestError } from './errors.ts';

/** @param path within `dist/` */
export const builtFile = (path: string): URL => new URL(`../../dist/${path}`, import.meta.url);

/** Compiles a module of `kernels/`. @throws SaeforestError when the project has not been built */
export function loadKernels(name: 'shared' | 'dense' | 'synth-bench' | 'logistic'): WebAssembly.Module {
  const path = fileURLToPath(builtFile(`kernels/${name}.wasm`));
  if (!existsSync(path)) throw new SaeforestError('the kernels are not built', { where: path, hint: 'npm run build' });
  return new WebAssembly.Module(readFileSync(path));
}
