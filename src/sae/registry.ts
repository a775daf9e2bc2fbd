/** The one list of architectures: command line, help, documentation and tests are made from it. */
import { unknownName } from '../core/config.ts';
import { ConfigError } from '../core/errors.ts';
import type { Architecture } from './architecture.ts';
import { batchtopk } from './batchtopk.ts';
import { compositional } from './compositional.ts';
import { dynamicSparsity } from './dynamic-sparsity.ts';
import { gated } from './gated.ts';
import { hSae } from './h-sae.ts';
import { hsaeForest } from './hsae-forest.ts';
import { jumprelu } from './jumprelu.ts';
import { matryoshka } from './matryoshka.ts';
import { matryoshkaTopK } from './matryoshka-topk.ts';
import { matchingPursuit } from './matching-pursuit.ts';
import { reluL1 } from './relu-l1.ts';
import { reluL1April } from './relu-l1-april.ts';
import { switchSae } from './switch.ts';
import { topk } from './topk.ts';
import { treeSae } from './tree-sae.ts';

// The flat ones, the hierarchical ones, then the other two seeds; one line each.
// prettier-ignore
const known: Architecture[] = [
  reluL1,
  reluL1April,
  topk,
  batchtopk,
  jumprelu,
  gated,
  matryoshka,
  matryoshkaTopK,
  switchSae,
  matchingPursuit,
  hSae,
  hsaeForest,
  treeSae,
  dynamicSparsity,
  compositional,
];

/** All of them, in the order in which they are shown. */
export const architectures: readonly Architecture[] = known;

/**
 * Adds an architecture that is not part of the library, for this process.
 * @throws ConfigError if its name is taken
 */
export function registerArchitecture(architecture: Architecture): void {
  if (known.some(({ name }) => name === architecture.name)) {
    throw new ConfigError(`there is an architecture ${architecture.name} already`, { hint: 'choose another name' });
  }
  known.push(architecture);
}

/** @throws ConfigError that lists the known names and suggests the nearest */
export function architectureNamed(name: string): Architecture {
  const found = architectures.find((architecture) => architecture.name === name);
  if (found) return found;
  throw new ConfigError(
    unknownName(
      'architecture',
      name,
      architectures.map((architecture) => architecture.name),
    ),
    { hint: 'saeforest archs' },
  );
}
