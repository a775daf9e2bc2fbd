/** Sites as they are named on the command line. */
import { z } from 'zod';
import { unknownName } from '../core/config.ts';
import { UsageError } from '../core/errors.ts';
import { HOOKS, type Hook, type Site } from '../lm/site.ts';
import { list } from './command.ts';

/** `--layer 1,3 --layer 5` */
export const layerList = list.transform((texts, context) => {
  const layers = texts.flatMap((text) => text.split(',')).map((text) => text.trim());
  for (const text of layers) {
    if (/^\d+$/.test(text)) continue;
    context.addIssue({ code: 'custom', message: `expected block numbers such as 2 or 1,3,5, received ${text}` });
    return z.NEVER;
  }
  return layers.map(Number);
});

/** Every hook at every layer. @throws UsageError for an unknown hook */
export function parseSites(layers: readonly number[], hooks: readonly string[]): Site[] {
  const names = hooks.flatMap((text) => text.split(',')).map((text) => parseHook(text.trim()));
  return layers.flatMap((layer) => names.map((hook) => ({ layer, hook })));
}

/** @throws UsageError */
export function parseHook(name: string): Hook {
  const hook = HOOKS.find((known) => known === name);
  if (hook === undefined) throw new UsageError(unknownName('hook', name, HOOKS), { hint: '--hook resid_post' });
  return hook;
}
