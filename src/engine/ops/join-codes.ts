/** Codes of several models over one input as codes of one index space; without gradient, for what only looks at codes. */
import type { Codes } from '../device.ts';
import type { Tape } from '../tape.ts';

/** Latents of a part are shifted by the widths of the parts before it; `width` may leave room after the last one. */
export function joinCodes({ device }: Tape, parts: readonly Codes[], width: number): Codes {
  const perRow = parts.reduce<number | undefined>((sum, part) => add(sum, part.perRow), 0);
  const joined = device.scratchCodes(parts[0].rows, width, perRow);
  device.kernels.joinCodes(joined, parts);
  return joined;
}

const add = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a + b;
