/** Whether the links of a recovered forest say what the true one says, beside chance. */
import { Random } from '../core/random.ts';
import type { Forest } from '../forest/forest.ts';
import { shuffledForest } from '../forest/null.ts';
import type { TruthDetails } from './truth-recovery.ts';

const DRAWS = 20;

export interface LinkJudgement {
  /** Links whose two latents stand for different features. */
  readonly links: number;
  /** Share of them whose parent stands for a feature above the child's, directly or further up; NaN without any. */
  readonly right: number;
  /** The same with the latents of every level dealt anew at random: mean of 20 draws. */
  readonly by_chance: number;
}

export function judgeLinks(truth: Forest, { forest, match }: Pick<TruthDetails, 'forest' | 'match'>): LinkJudgement {
  const { links, right } = count(truth, forest, match);
  let byChance = 0;
  for (let draw = 0; draw < DRAWS; draw++) {
    const random = new Random(0, 'link judgement', draw);
    const chance = count(truth, shuffledForest(forest, random), match);
    byChance += chance.links > 0 ? chance.right / chance.links / DRAWS : 0;
  }
  return { links, right: right / links, by_chance: byChance };
}

function count(truth: Forest, forest: Forest, match: Int32Array): { links: number; right: number } {
  let [links, right] = [0, 0];
  for (const [parent, child] of forest.edges()) {
    const [above, below] = [match[parent], match[child]];
    if (above === -1 || below === -1 || above === below) continue;
    links++;
    if (truth.isAncestor(above, below)) right++;
  }
  return { links, right };
}
