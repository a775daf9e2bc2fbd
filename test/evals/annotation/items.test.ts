import { describe, expect, it } from 'vitest';
import { ReferenceDevice } from '../../../src/engine/reference/device.ts';
import type { EvalContext } from '../../../src/evals/context.ts';
import { ABOUT, drawItems, KINDS } from '../../../src/evals/annotation/items.ts';
import { firesOn, forest, villageContext, word, WORDS } from '../labels/village.ts';

const context = (changes: Partial<EvalContext> = {}): EvalContext =>
  villageContext(new ReferenceDevice(), 150, changes);
const marks = (text: string): string[] => [...text.matchAll(/<<(.*?)>>/g)].flatMap(([, run]) => run.split(' '));
const wordsOf = (latent: number): string[] =>
  Array.from({ length: WORDS }, (_, token) => token)
    .filter((token) => firesOn(latent, token))
    .map(word);

describe('items for people', () => {
  it('are what the key says they are', async () => {
    const { items, key } = await drawItems(context(), { kinds: KINDS, items: 30 });
    expect(items.map(({ id, kind }) => [id, kind])).toEqual(key.map(({ id, kind }) => [id, kind]));
    items.forEach(({ a, b, kind }, i) => {
      const { latents, condition } = key[i];
      if (kind === 'relation') {
        const [parent, child] = latents;
        expect(forest.parent[child] === parent).toBe(condition === 'forest');
        expect(a.flatMap(marks).every((one) => wordsOf(parent).includes(one))).toBe(true);
        expect(b.flatMap(marks).every((one) => wordsOf(child).includes(one))).toBe(true);
      } else if (kind === 'detection') {
        expect(b).toHaveLength(1);
        expect(b[0]).not.toContain('<<');
        expect(b[0].split(' ').some((one) => wordsOf(latents[0]).includes(one))).toBe(condition === 'fires');
        expect(a.map((text) => text.replaceAll(/<<|>>/g, ''))).not.toContain(b[0]);
      } else {
        expect(a).toHaveLength(6);
        expect(b).toEqual([]);
        expect(latents).toHaveLength(condition === 'latent' ? 1 : 6);
        a.forEach((text, t) => {
          const own = wordsOf(latents[t] ?? latents[0]);
          expect(marks(text).every((one) => own.includes(one))).toBe(true);
        });
      }
    });
    for (const kind of KINDS) {
      const conditions = new Set(key.filter((entry) => entry.kind === kind).map(({ condition }) => condition));
      expect([...conditions].sort()).toEqual([...ABOUT[kind].conditions].sort());
    }
  });

  it('are blind: neither the names nor the order of the items tells the condition', async () => {
    const { items, key } = await drawItems(context(), { kinds: ['relation'], items: 20 });
    expect(Object.keys(items[0]).sort()).toEqual(['a', 'b', 'id', 'kind']);
    const conditions = key.map(({ condition }) => condition);
    expect(conditions.filter((one) => one === 'forest')).toHaveLength(10);
    expect(conditions).not.toEqual([...conditions].sort());
    expect(new Set(items.map(({ id }) => id.length))).toEqual(new Set([10]));
  });

  it('are the same for the same seed, whatever the size of the batches', async () => {
    const wanted = { kinds: KINDS, items: 12 };
    const one = await drawItems(context(), wanted);
    expect(await drawItems(context({ batchRows: 33 }), wanted)).toEqual(one);
    expect(await drawItems(context({ seed: 1 }), wanted)).not.toEqual(one);
  });

  it('need text and latents that fire', async () => {
    await expect(drawItems(context({ model: 'none here' }), { kinds: KINDS, items: 9 })).rejects.toThrow(
      /cannot be read/,
    );
    await expect(drawItems(context({ rows: 60 }), { kinds: KINDS, items: 9 })).rejects.toThrow(/no latent fires/);
  });
});
