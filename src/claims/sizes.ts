/** Flat SAEs of the size of another model. */
import { equalWidths } from '../sae/equal-width.ts';
import type { Cost } from '../sae/architecture.ts';
import { architectureNamed } from '../sae/registry.ts';
import type { CostRatios } from './judge.ts';
import type { Lab } from './lab.ts';
import type { Spec } from './spec.ts';

/** Width of a flat SAE with as many parameters. */
export async function flatOfEqualParameters(lab: Lab, spec: Spec): Promise<number> {
  return (await flatWidths(lab, spec)).parameters;
}

/** Width of a flat SAE that encodes with as many FLOPs per token. */
export async function flatOfEqualFlops(lab: Lab, spec: Spec): Promise<number> {
  return (await flatWidths(lab, spec)).encodeFlops;
}

async function flatWidths(lab: Lab, spec: Spec): Promise<ReturnType<typeof equalWidths>> {
  return equalWidths(await costOf(lab, spec), await lab.width(spec.data));
}

/** Costs of a, divided by those of b. */
export async function costRatios(lab: Lab, a: Spec, b: Spec): Promise<CostRatios> {
  const [ofA, ofB] = [await costOf(lab, a), await costOf(lab, b)];
  return { parameters: ofA.parameters / ofB.parameters, encodeFlops: ofA.encodeFlops / ofB.encodeFlops };
}

async function costOf(lab: Lab, { data, arch, keys }: Spec): Promise<Cost> {
  const architecture = architectureNamed(arch);
  return architecture.cost(architecture.schema.parse({ ...keys }), await lab.width(data));
}
