/** Documents of worlds, for tests. */
import type { Split } from '../../src/world/story.ts';
import type { World, WorldDocument } from '../../src/world/world.ts';

export type Settings = ConstructorParameters<typeof World>[0];

export const documents = (world: World, split: Split, count: number): WorldDocument[] =>
  Array.from({ length: count }, (_, i) => world.document(split, i));

/** Texts of the sentences of a document. */
export function sentencesOf({ vocabulary }: World, { tokens, starts }: WorldDocument): string[] {
  return starts.map((start, s) => Array.from(tokens.subarray(start, starts[s + 1]), (t) => vocabulary[t]).join(' '));
}
