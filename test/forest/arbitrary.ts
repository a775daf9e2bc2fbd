import * as fc from 'fast-check';
import { Forest } from '../../src/forest/forest.ts';

/** Any forest of at most `max` nodes, parents not always before their children. */
export function anyForest(max = 25): fc.Arbitrary<Forest> {
  return fc
    .integer({ min: 0, max })
    .chain((size) =>
      fc.tuple(
        fc.tuple(...Array.from({ length: size }, (_, i) => fc.integer({ min: -1, max: i - 1 }))),
        fc.shuffledSubarray(
          Array.from({ length: size }, (_, i) => i),
          { minLength: size },
        ),
      ),
    )
    .map(([parent, place]) => {
      const moved = new Int32Array(parent.length);
      parent.forEach((p, i) => (moved[place[i]] = p === -1 ? -1 : place[p]));
      return new Forest(moved);
    });
}
