/** Places in a transformer where activations are read, by the names that TransformerLens gave them. */

/**
 * `resid_pre` and `resid_post`: the residual stream before and after a block. `attn_out` and `mlp_out`: what its attention
 * and its MLP add to the stream, that is after the output projection and, in models that have one, the norm behind it.
 */
export const HOOKS = ['resid_pre', 'resid_post', 'attn_out', 'mlp_out'] as const;
export type Hook = (typeof HOOKS)[number];

export interface Site {
  /** Block, counted from 0. */
  readonly layer: number;
  readonly hook: Hook;
}

/** `resid_post 3` */
export function siteName({ layer, hook }: Site): string {
  return `${hook} ${layer}`;
}
