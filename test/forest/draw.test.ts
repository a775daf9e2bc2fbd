import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawBeside, drawForest, drawRecovery } from '../../src/forest/draw.ts';
import { Forest } from '../../src/forest/forest.ts';
import { anyForest } from './arbitrary.ts';

const NAMES = ['animal', 'bird', 'owl', 'fish', 'the', 'vehicle', 'car'];
const WORLD = new Forest([-1, 0, 1, 0, -1, -1, 5]);
const FREQUENCY = [0.2, 0.05, 0.01, 0.08, 0.5, 0.3, 0.1];
const label = (i: number): string => NAMES[i];

describe('drawing a forest', () => {
  it('shows trees before single nodes, the frequent before the rare', () => {
    expect(drawForest(WORLD, { label, frequency: FREQUENCY })).toBe(
      ['vehicle', '└─ car', 'animal', '├─ fish', '└─ bird', '   └─ owl', 'the'].join('\n'),
    );
  });

  it('continues the line of an open family past nested children', () => {
    expect(drawForest(WORLD, { label, frequency: [7, 6, 5, 4, 3, 2, 1] })).toBe(
      ['animal', '├─ bird', '│  └─ owl', '└─ fish', 'vehicle', '└─ car', 'the'].join('\n'),
    );
  });

  it('cuts lines, and counts what it leaves out', () => {
    expect(drawForest(WORLD, { label, frequency: FREQUENCY, maxNodes: 4, width: 7 })).toBe(
      ['vehicle', '└─ car', 'animal', '├─ fish', '└─ … 2…', '… 1 mo…'].join('\n'),
    );
    expect(drawForest(WORLD, { label, frequency: FREQUENCY, maxChildren: 1 })).toBe(
      ['vehicle', '└─ car', 'animal', '├─ fish', '└─ … 2 more', 'the'].join('\n'),
    );
  });

  it('keeps a label on its line', () => {
    expect(drawForest(new Forest([-1]), { label: () => 'a\n\tb\u001B[31m', frequency: [1] })).toBe('a  b [31m');
  });

  it('accounts for every node, whatever the limits', () => {
    fc.assert(
      fc.property(
        anyForest(),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 4 }),
        (forest, max, family) => {
          const frequency = new Float64Array(forest.size);
          const text = drawForest(forest, { label: (i) => `node${i}`, frequency, maxNodes: max, maxChildren: family });
          const hidden = [...text.matchAll(/… (\d+) more/g)].reduce((sum, [, n]) => sum + Number(n), 0);
          const shown = text.match(/node/g)?.length ?? 0;
          expect(shown).toBeLessThanOrEqual(max);
          expect(shown + hidden).toBe(forest.size);
        },
      ),
    );
  });
});

describe('side by side', () => {
  it('pads the left column and ends lines at their text', () => {
    expect(drawBeside('left', 'a\nlonger', 'right', 'x')).toBe('left     right\na        x\nlonger');
  });

  it('marks what was found, missed and made up', () => {
    // No latent for bird: owl hangs from animal. Latent 4 is spurious, under car.
    const recovered = new Forest([-1, 0, 0, -1, 5, 6, -1]);
    const match = Int32Array.of(0, 3, 2, 4, -1, 6, 5);
    const drawing = drawRecovery({ truth: WORLD, recovered, match, name: label, probability: FREQUENCY });
    expect(drawing).toBe(
      [
        'recovered          true',
        '✓ vehicle          ✓ vehicle',
        '└─ ✓ car           └─ ✓ car',
        '   └─ + latent 4   ✓ animal',
        '✓ animal           ├─ ✓ fish',
        '├─ ✓ fish          └─ ✗ bird',
        '└─ + owl              └─ ✗ owl',
        '✓ the              ✓ the',
      ].join('\n'),
    );
  });

  it('does not take a root’s child for right because its parent is unknown', () => {
    const drawing = drawRecovery({
      truth: new Forest([-1]),
      recovered: new Forest([-1, 0]),
      match: Int32Array.of(-1, 0),
      name: () => 'word',
      probability: [1],
    });
    expect(drawing).toBe('recovered    true\n+ latent 0   ✗ word\n└─ + word');
  });
});
