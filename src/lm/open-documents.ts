/** Opens the text that a harvest or a live training is given by name. */
import { unknownName } from '../core/config.ts';
import { UsageError } from '../core/errors.ts';
import { SPLITS, type Split } from '../world/story.ts';
import { World } from '../world/world.ts';
import { TextCorpus, type CorpusOptions } from './corpus.ts';
import type { Documents } from './documents.ts';

/** Names generated text: the world with its defaults, `world` or `world:held-out`. */
const WORLD = /^world(?::(.*))?$/;

/**
 * @param names text files; or, alone, `world` with one of its splits
 * @throws InputError for text that cannot be read, or is empty
 * @throws UsageError for a split that the world does not have, or the world among files
 */
export async function openDocuments(names: readonly string[], options: CorpusOptions): Promise<Documents> {
  const generated = names.find((name) => WORLD.test(name));
  if (generated === undefined) return TextCorpus.open(names, options);
  if (names.length > 1) {
    throw new UsageError(`--text ${generated} stands alone: it never ends`, { hint: 'a file of this name: ./world' });
  }
  const split = WORLD.exec(generated)![1] ?? 'train';
  if (!isSplit(split)) throw new UsageError(unknownName('split of the world', split, SPLITS), { where: '--text' });
  return worldDocuments(new World(), split);
}

/** Documents of a split of a world, without end. */
export function worldDocuments(world: World, split: Split): Documents {
  const { seed } = world.config;
  return {
    count: Infinity,
    identity: { kind: 'generated', name: 'world', split, seed, hash: world.hash },
    read: (i) => world.text(split, i),
  };
}

const isSplit = (name: string): name is Split => (SPLITS as readonly string[]).includes(name);
