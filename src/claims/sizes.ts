/** Flat SAEs of the size of another model. */
import { equalWidths } from '../sae/equal-width.ts';
import { architectureNamed } from '../sae/registry.ts';
import type { Lab, Spec } from './lab.ts';

/** Width of a flat SAE with as many parameters. */
export async function flatOfEqualParameters(lab: Lab, spec: Spec): Promise<number> {
  return (await flatWidths(lab, spec)).parameters;
}

/** Width of a flat SAE that encodes with as many FLOPs per token. */
export async function flatOfEqualFlops(lab: Lab, spec: Spec): Promise<number> {
  return (await flatWidths(lab, spec)).encodeFlops;
}

async function flatWidths(lab: Lab, { data, arch, keys }: Spec): Promise<ReturnType<typeof equalWidths>> {
  const architecture = architectureNamed(arch);
  const d = await lab.width(data);
  return equalWidths(architecture.cost(architecture.schema.parse({ ...keys }), d), d);
}
