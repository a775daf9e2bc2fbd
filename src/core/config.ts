/** Validation at the edges: zod issues turned into one message that says what is wrong and suggests the nearest key. */
import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import { ConfigError, InputError } from './errors.ts';

/** The member of `known` that was probably meant, or undefined if nothing is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const best = closest(word, [...known]);
  const shared = [...new Set(word)].filter((letter) => best.includes(letter)).length;
  return shared * 2 >= new Set(word).size ? best : undefined;
}

/** `unknown suite "cor"; did you mean "core"? Known: core, truth` */
export function unknownName(kind: string, word: string, known: readonly string[]): string {
  const guess = nearest(word, known);
  const question = guess === undefined ? '.' : `; did you mean "${guess}"?`;
  return `unknown ${kind} "${word}"${question}${known.length > 0 ? ` Known: ${known.join(', ')}` : ''}`;
}

/**
 * Parses `value` with a strict schema.
 * @throws ConfigError naming every issue with its path
 */
export function parseConfig<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ConfigError(renderIssues(result.error, schema), { where });
}

/**
 * The same for the content of a file that a program wrote.
 * @throws InputError naming every issue with its path
 */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, where: string, hint?: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError(renderIssues(result.error, schema), hint === undefined ? { where } : { where, hint });
}

function renderIssues(error: z.ZodError, schema: z.ZodType): string {
  return error.issues.map((issue) => renderIssue(issue, schema)).join('\n');
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

/** Keys of the object schema that a path leads to (through lists, and wrappers such as default and optional). */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let here: unknown = unwrap(schema);
  for (const step of path) {
    if (here instanceof z.ZodObject) here = unwrap(here.shape[String(step)]);
    else if (here instanceof z.ZodArray) here = unwrap(here.element);
    else return [];
  }
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function unwrap(schema: unknown): unknown {
  let here = schema;
  while (here instanceof z.ZodOptional || here instanceof z.ZodDefault || here instanceof z.ZodNullable)
    here = here.unwrap();
  return here;
}
