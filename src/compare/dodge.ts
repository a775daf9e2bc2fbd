/** Points that would cover each other move apart sideways by a few pixels. */

export interface Mark {
  /** In pixels. */
  readonly x: number;
  /** What it covers vertically: its interval, and that of its null; in pixels, upper end first. */
  readonly spans: readonly (readonly [top: number, bottom: number])[];
}

/** Nearer than this, marks cover each other, */
const NEAR = 9;
/** and stand this far apart instead. */
const APART = 9;

/** @returns by how many pixels each mark moves */
export function dodge(marks: readonly Mark[]): number[] {
  const shifts = marks.map(() => 0);
  const waiting = new Set(marks.keys());
  for (const first of waiting) {
    const cluster = [first];
    // What touches the cluster joins it.
    for (const member of cluster) {
      waiting.delete(member);
      for (const other of waiting) {
        if (cluster.includes(other) || !touch(marks[member], marks[other])) continue;
        cluster.push(other);
      }
    }
    cluster.sort((a, b) => marks[a].x - marks[b].x || a - b);
    for (const [i, member] of cluster.entries()) shifts[member] = (i - (cluster.length - 1) / 2) * APART;
  }
  return shifts;
}

function touch(a: Mark, b: Mark): boolean {
  if (Math.abs(a.x - b.x) >= NEAR) return false;
  return a.spans.some(([top, bottom]) => b.spans.some((other) => top <= other[1] && other[0] <= bottom));
}
