/** Size and price of a flat SAE: one encoder row, one decoder row and a bias per latent, a bias of the output. */
import type { Cost } from '../architecture.ts';

/** Active latents per token where no key fixes them (penalties instead of a top-k): the L0 at which architectures are compared. */
export const NOMINAL_L0 = 32;

/** @param active mean number of active latents per token */
export function flatCost(width: number, active: number, d: number): Cost {
  return { parameters: 2 * width * d + width + d, encodeFlops: 2 * width * d, decodeFlops: 2 * active * d };
}
