/** Parents by direction alone, as HSAE assigns the latents of one level to those of the level above (methods 2.3). */

/** Most similar parent of each child. */
export interface Nearest {
  /** `[children]` −1 where no parent has a positive cosine. */
  readonly parent: Int32Array;
  /** `[children]` its cosine, 0 without one. */
  readonly cosine: Float32Array;
}

/** Share of children that stay without a parent, as published. */
export const UNASSIGNED = 0.2;

/**
 * Leaves the least similar children without a parent: ⌊unassigned · children⌋ of them, of equal ones the higher latents; children
 * whose nearest parent points away stay alone in any case.
 */
export function leaveUnassigned({ parent, cosine }: Nearest, unassigned = UNASSIGNED): Int32Array {
  if (!(unassigned >= 0 && unassigned <= 1)) throw new RangeError(`unassigned ${unassigned}: expected 0 … 1`);
  const order = Int32Array.from({ length: parent.length }, (_, i) => i).sort((a, b) => cosine[a] - cosine[b] || b - a);
  const assigned = parent.slice();
  for (const child of order.subarray(0, Math.floor(unassigned * parent.length))) assigned[child] = -1;
  return assigned;
}
