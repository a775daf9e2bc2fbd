/** Which pairs (subject, action) never occur in training. */
import { Random } from '../core/random.ts';
import type { Behaviour } from './behaviour.ts';
import type { WorldConfig } from './config.ts';
import { groupBy } from './group.ts';
import type { Taxonomy } from './taxonomy.ts';

/**
 * A pair is held out by a hash of seed, subject and action. Subjects are leaves among beings and things. Every subject keeps an
 * action and every action a subject, so that both parts of a held-out pair occur in training.
 *
 * Homonyms count as one (`same`), so that a held-out pair does not occur in training as text either.
 */
export class Pairs {
  /** Held-out actions by subject. */
  readonly heldOut: ReadonlyMap<number, ReadonlySet<number>>;

  constructor(taxonomy: Taxonomy, behaviour: Behaviour, same: Int32Array, config: WorldConfig) {
    const candidates: { subject: number; verb: number; held: boolean }[] = [];
    for (let subject = 0; subject < taxonomy.size; subject++) {
      if (!taxonomy.isLeaf(subject)) continue;
      for (const { verb } of behaviour.abilities(subject)) {
        const random = new Random(config.seed, 'pair', same[subject], same[verb]);
        candidates.push({ subject, verb, held: random.uniform() < config.heldOutPairs });
      }
    }
    for (const part of ['subject', 'verb'] as const) {
      for (const group of groupBy(candidates, (pair) => pair[part]).values()) {
        if (group.every(({ held }) => held)) for (const pair of group) pair.held = false;
      }
    }
    // Releasing one pair of two that read the same would put the other into training.
    const text = ({ subject, verb }: { subject: number; verb: number }): string => `${same[subject]} ${same[verb]}`;
    for (const group of groupBy(candidates, text).values()) {
      if (group.some(({ held }) => !held)) for (const pair of group) pair.held = false;
    }
    const heldOut = new Map<number, Set<number>>();
    for (const { subject, verb, held } of candidates) {
      if (!held) continue;
      if (!heldOut.has(subject)) heldOut.set(subject, new Set());
      heldOut.get(subject)!.add(verb);
    }
    this.heldOut = heldOut;
  }

  isHeldOut(subject: number, verb: number): boolean {
    return this.heldOut.get(subject)?.has(verb) ?? false;
  }
}
