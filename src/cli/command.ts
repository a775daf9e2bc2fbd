/** What a command file exports. Flags stand next to the code that reads them; heavy modules are imported inside `run`. */
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';
import { UsageError } from '../core/errors.ts';
import type { Terminal } from './terminal.ts';

export interface Flag {
  /** As shown in `--help`, e.g. `--model <folder>`. */
  flag: string;
  help: string;
}

export interface Command<S extends z.ZodType = z.ZodType> {
  /** Name and positional arguments, e.g. `lm inspect <folder>`. */
  usage: string;
  summary: string;
  flags: readonly Flag[];
  /** At least one line that can be typed as it stands. */
  examples: readonly string[];
  /** Schema of the flags (camelCase) and positional arguments. */
  schema: S;
  /** @returns nothing, or the exit code if it is not 0 */
  run(options: z.output<S>, terminal: Terminal): Promise<number | void>;
}

/** Keeps the schema's type between `schema` and `run`. */
export function defineCommand<S extends z.ZodType>(command: Command<S>): Command {
  return command as unknown as Command;
}

/** Parses flags; a wrong one is a usage error that names the flag. */
export function parseFlags<S extends z.ZodType>(command: Command<S>, raw: Record<string, unknown>): z.output<S> {
  return parseConfig(command.schema, raw, `saeforest ${command.usage}`);
}

/** `--tokens 2000000`, `2e6`, `2M`, `500k` */
export const count = z.union([z.number(), z.string()]).transform((value, context) => {
  const match = /^(\d+(?:\.\d+)?(?:e\d+)?)([kMG]?)$/.exec(String(value).replaceAll('_', ''));
  const number = match
    ? Math.round(Number(match[1]) * { '': 1, k: 1e3, M: 1e6, G: 1e9 }[match[2] as '' | 'k' | 'M' | 'G'])
    : NaN;
  if (Number.isSafeInteger(number) && number > 0) return number;
  context.addIssue({
    code: 'custom',
    message: `expected a positive whole number such as 2000000 or 2M, received ${String(value)}`,
  });
  return z.NEVER;
});

/** A path or name; the flag parser hands over digits as numbers. */
export const text = z
  .union([z.string(), z.number()], {
    error: ({ input }) =>
      input === undefined ? 'is required' : Array.isArray(input) ? 'given twice' : 'expected a value',
  })
  .transform(String)
  .pipe(z.string().min(1, 'expected a value'));

/** A flag that may be repeated. */
export const list = z.union([z.array(text), text.transform((one) => [one])]);

/** A whole number ≥ 0. */
export const index = z.number().int().min(0);

/**
 * `--set a.b=c` assignments as a nested object; values are read as YAML scalars.
 * @throws UsageError for an assignment without `=`, or with a value that cannot be read
 */
export function parseAssignments(
  assignments: readonly string[],
  parseScalar: (text: string) => unknown,
): Record<string, unknown> {
  const root: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const assignment of assignments) {
    const at = assignment.indexOf('=');
    if (at < 1)
      throw new UsageError(`--set ${assignment}: expected key=value`, { hint: '--set width=4096 --set k=32' });
    const keys = assignment.slice(0, at).split('.');
    let here = root;
    for (const key of keys.slice(0, -1)) {
      const next = here[key];
      here = here[key] =
        typeof next === 'object' && next !== null
          ? (next as Record<string, unknown>)
          : (Object.create(null) as Record<string, unknown>);
    }
    try {
      here[keys[keys.length - 1]] = parseScalar(assignment.slice(at + 1));
    } catch (error) {
      throw new UsageError(`--set ${assignment}: ${(error as Error).message.split('\n')[0]}`, {
        hint: 'values are YAML: 32, 1e-3, true, null, text',
        cause: error,
      });
    }
  }
  return root;
}
