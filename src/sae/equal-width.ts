/** How wide a flat SAE would be that has as many parameters, or encodes at the same price, as another model. */
import type { Cost } from './architecture.ts';
import { flatCost } from './parts/cost.ts';

export interface EqualWidths {
  /** Latents of a flat SAE with as many parameters. */
  parameters: number;
  /** Latents of a flat SAE whose encoder costs as many FLOPs per token. */
  encodeFlops: number;
}

export function equalWidths({ parameters, encodeFlops }: Cost, d: number): EqualWidths {
  const [none, one] = [flatCost(0, 0, d), flatCost(1, 0, d)];
  return {
    parameters: Math.round((parameters - none.parameters) / (one.parameters - none.parameters)),
    encodeFlops: Math.round(encodeFlops / one.encodeFlops),
  };
}
