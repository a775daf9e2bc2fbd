/** Validation at the edges: zod issues turned into one message that says what is wrong and suggests the nearest key. */
import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import { ConfigError } from './errors.ts';

/** The member of `known` that was probably meant, or undefined if nothing is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const best = closest(word, [...known]);
  const shared = [...new Set(word)].filter((letter) => best.includes(letter)).length;
  return shared * 2 >= new Set(word).size ? best : undefined;
}

/** `"foo" is unknown; did you mean "food"? Known: …` */
export function unknownName(kind: string, word: string, known: readonly string[]): string {
  const guess = nearest(word, known);
  return `unknown ${kind} "${word}"${guess ? `; did you mean "${guess}"?` : ''} Known: ${known.join(', ')}`;
}

/**
 * Parses `value` with a strict schema.
 * @throws ConfigError naming every issue with its path
 */
export function parseConfig<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => renderIssue(issue, schema));
  throw new ConfigError(lines.join('\n'), { where });
}

function renderIssue(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path);
    return issue.keys
      .map((key) =>
        unknownName(
          'key',
          path ? `${path}.${key}` : key,
          known.map((name) => (path ? `${path}.${name}` : name)),
        ),
      )
      .join('\n');
  }
  return path ? `${path}: ${issue.message}` : issue.message;
}

/** Keys of the object schema that a path leads to (through wrappers such as default and optional). */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let here: unknown = unwrap(schema);
  for (const step of path) here = here instanceof z.ZodObject ? unwrap(here.shape[String(step)]) : undefined;
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function unwrap(schema: unknown): unknown {
  let here = schema;
  while (here instanceof z.ZodOptional || here instanceof z.ZodDefault || here instanceof z.ZodNullable)
    here = here.unwrap();
  return here;
}
