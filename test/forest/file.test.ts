import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { readForest } from '../../src/forest/file.ts';
import { writeSafetensors } from '../../src/formats/safetensors-writer.ts';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'forest-file-'))));
afterAll(() => rmSync(folder, { recursive: true }));

function file(parent: readonly number[], name = 'parent'): string {
  const path = join(folder, 'forest.safetensors');
  writeSafetensors(path, { [name]: { dtype: 'I32', shape: [parent.length], data: Int32Array.from(parent) } });
  return path;
}

/** What it says of a file that it refuses. */
function refused(path: string, width: number): string {
  try {
    readForest(path, width);
  } catch (error) {
    if (error instanceof InputError) return error.render();
    throw error;
  }
  return 'nothing';
}

describe('a file of parents', () => {
  it('is read', () => {
    const forest = readForest(file([-1, 0, 1, -1]), 4);
    expect([...forest.parent]).toEqual([-1, 0, 1, -1]);
    expect([...forest.level]).toEqual([0, 1, 2, 0]);
  });

  it('with a cycle is refused, and the cycle named', () => {
    const message = refused(file([1, 2, 0, -1]), 4);
    expect(message).toMatch(/cycle: .*0 → 1 → 2 → 0|1 → 2 → 0 → 1|2 → 0 → 1 → 2/);
    expect(message).toContain('forest.safetensors');
  });

  it('of another SAE is refused', () => {
    expect(refused(file([-1, 0]), 3)).toContain('the forest has 2 latents, the SAE 3');
  });

  it('that names a parent that is not there is refused', () => {
    expect(refused(file([-1, 7]), 2)).toContain('parent 7');
  });

  it('without parents, damaged or missing is refused', () => {
    expect(refused(file([0], 'children'), 1)).toContain('parent');
    const path = join(folder, 'damaged.safetensors');
    writeFileSync(path, 'not tensors');
    expect(refused(path, 1)).toContain('damaged.safetensors');
    expect(refused(join(folder, 'nowhere.safetensors'), 1)).toContain('nowhere.safetensors');
  });
});
