/** The one list of architectures: command line, help, documentation and tests are made from it. */
import { unknownName } from '../core/config.ts';
import { ConfigError } from '../core/errors.ts';
import type { Architecture } from './architecture.ts';
import { hSae } from './h-sae.ts';
import { switchSae } from './switch.ts';
import { topk } from './topk.ts';
import { treeSae } from './tree-sae.ts';

export const architectures: readonly Architecture[] = [topk, switchSae, hSae, treeSae];

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
