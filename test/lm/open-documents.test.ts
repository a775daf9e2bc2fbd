import { expect, it } from 'vitest';
import { UsageError } from '../../src/core/errors.ts';
import { openDocuments } from '../../src/lm/open-documents.ts';
import { World } from '../../src/world/world.ts';

it('opens the world and its splits by name', async () => {
  const world = new World();
  for (const [name, split] of [
    ['world', 'train'],
    ['world:held-out', 'held-out'],
  ] as const) {
    const documents = await openDocuments([name], {});
    expect(documents.count).toBe(Infinity);
    expect(documents.identity).toEqual({ kind: 'generated', name: 'world', split, seed: 0, hash: world.hash });
    expect(documents.read(7)).toBe(world.text(split, 7));
  }
});

it('refuses splits that do not exist, and the world among files', async () => {
  await expect(openDocuments(['world:heldout'], {})).rejects.toThrow(/heldout.*held-out/);
  await expect(openDocuments(['world', 'stories.txt'], {})).rejects.toThrow(UsageError);
});

it('takes other names for files', async () => {
  await expect(openDocuments(['./world'], {})).rejects.toMatchObject({ where: './world' });
});
