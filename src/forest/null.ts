/** The forest that a measurement has to beat. */
import type { Random } from '../core/random.ts';
import { Forest } from './forest.ts';

/**
 * A forest of the same shape whose nodes are dealt anew at random among the nodes of their level: level sizes, family
 * sizes and chains are those of `forest`, who belongs to whom is chance.
 */
export function shuffledForest(forest: Forest, random: Random): Forest {
  const byLevel = new Map<number, number[]>();
  forest.level.forEach((level, node) => {
    const nodes = byLevel.get(level);
    if (nodes) nodes.push(node);
    else byLevel.set(level, [node]);
  });
  const place = new Int32Array(forest.size);
  for (const nodes of byLevel.values()) {
    const dealt = nodes.slice();
    for (let i = dealt.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [dealt[i], dealt[j]] = [dealt[j], dealt[i]];
    }
    nodes.forEach((node, i) => (place[node] = dealt[i]));
  }
  const parent = new Int32Array(forest.size);
  for (let i = 0; i < forest.size; i++) parent[place[i]] = forest.parent[i] === -1 ? -1 : place[forest.parent[i]];
  return new Forest(parent, forest.level);
}
