/** Size and price of a flat SAE: one encoder row, one decoder row and a bias per latent, a bias of the output. */
import type { Cost } from '../architecture.ts';

/** @param active mean number of active latents per token */
export function flatCost(width: number, active: number, d: number): Cost {
  return { parameters: 2 * width * d + width + d, encodeFlops: 2 * width * d, decodeFlops: 2 * active * d };
}
