import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** Numbers of a module's sections, in order. */
function sections(bytes: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 8; at < bytes.length;) {
    found.push(bytes[at++]);
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      size |= (bytes[at] & 127) << shift;
      more = bytes[at++] >= 128;
    }
    at += size;
  }
  return found;
}

const [CODE, DATA] = [10, 11];

it.each(['shared', 'dense'])(
  '%s.wasm brings no data: they would lie where the control block and the program are',
  (name) => {
    const bytes = readFileSync(new URL(`../../dist/kernels/${name}.wasm`, import.meta.url));
    expect(sections(bytes)).toContain(CODE);
    expect(sections(bytes)).not.toContain(DATA);
  },
);
