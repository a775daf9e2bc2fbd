/** Pareto fronts: what no other point beats in both respects. */

interface Spot {
  readonly x: number;
  readonly y: number;
}

export type Direction = 'higher' | 'lower';

/** The points that are not worse than another in one respect and no better in the other; by x, each place once. */
export function paretoFront<S extends Spot>(points: readonly S[], better: { x: Direction; y: Direction }): S[] {
  const [signX, signY] = [better.x, better.y].map((direction) => (direction === 'higher' ? 1 : -1));
  const fromBest = points.toSorted((a, b) => signX * (b.x - a.x) || signY * (b.y - a.y));
  const front: S[] = [];
  for (const point of fromBest) {
    if (front.length === 0 || signY * (point.y - front[front.length - 1].y) > 0) front.push(point);
  }
  return front.sort((a, b) => a.x - b.x);
}
