/** A fixture folder of an architecture: `case.json` and `tensors.safetensors`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { parseInput } from '../core/config.ts';
import { InputError } from '../core/errors.ts';
import { SafetensorsFile } from '../formats/safetensors.ts';
import type { Tolerance } from './report.ts';

/** Tolerance of groups that a case does not mention: the smallest that fixtures are given. */
const DEFAULT_TOLERANCE = 2e-6;

const absolute = z.object({ abs: z.number().positive() }).default({ abs: DEFAULT_TOLERANCE });
const relative = z.object({ rel: z.number().positive() }).default({ rel: DEFAULT_TOLERANCE });
const record = z.record(z.string(), z.unknown());

const caseSchema = z.object({
  architecture: z.string(),
  sizes: record,
  hyper: record,
  /** Step that the single forward pass pretends to be. */
  forward_step_index: z.number().int().min(0).default(0),
  losses: record.default({}),
  /** A list, or for several variants lists by name. */
  step_log: z.union([z.array(record), record]).default([]),
  tolerance: z
    .object({
      recommended: z.object({ forward: absolute, grad: absolute, after: absolute, losses: relative }).prefault({}),
    })
    .prefault({}),
});

export type ToleranceGroup = 'forward' | 'grad' | 'after' | 'losses';

export class SaeFixture {
  readonly folder: string;
  readonly description: z.output<typeof caseSchema>;
  readonly #file: SafetensorsFile;
  readonly #used = new Set<string>();

  /** @throws InputError */
  constructor(folder: string) {
    this.folder = folder;
    this.description = readJson(join(folder, 'case.json'), caseSchema);
    this.#file = SafetensorsFile.open(join(folder, 'tensors.safetensors'));
  }

  get names(): string[] {
    return [...this.#file.tensors.keys()];
  }

  /** Tensors that nobody asked for. */
  get unused(): string[] {
    return this.names.filter((name) => !this.#used.has(name));
  }

  has(name: string): boolean {
    return this.#file.tensors.has(name);
  }

  /** @throws InputError if it is missing or does not have `size` elements */
  numbers(name: string, size?: number): Float32Array | Int32Array {
    const { dtype, shape } = this.#file.tensor(name);
    this.#used.add(name);
    const data = /^[FB]F?\d/.test(dtype) ? this.#file.readFloat32(name) : this.#file.readInt32(name);
    if (size === undefined || data.length === size) return data;
    throw new InputError(`tensor "${name}" [${shape.join(', ')}] has ${data.length} elements, expected ${size}`, {
      where: this.folder,
      hint: 'sizes in case.json and shapes of tensors must agree',
    });
  }

  /** The same with the last two axes swapped. */
  transposed(name: string, size?: number): Float32Array | Int32Array {
    const data = this.numbers(name, size);
    const [rows, cols] = this.#file.tensor(name).shape.slice(-2);
    const out = data.slice();
    for (let i = 0; i < data.length; i++) {
      const within = i % (rows * cols);
      out[i - within + (within % cols) * rows + Math.floor(within / cols)] = data[i];
    }
    return out;
  }

  tolerance(group: ToleranceGroup): Tolerance {
    return this.description.tolerance.recommended[group];
  }

  /** Sizes and hyper-parameters as an adapter understands them. @throws InputError naming what does not fit */
  parse<S extends z.ZodType>(schema: S, part: 'sizes' | 'hyper'): z.output<S> {
    return parseInput(schema, this.description[part], `${join(this.folder, 'case.json')}, ${part}`);
  }

  close(): void {
    this.#file.close();
  }
}

/** @throws InputError for a file that is missing, no JSON or not of this form */
export function readJson<S extends z.ZodType>(path: string, schema: S): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InputError(`cannot read: ${(error as Error).message}`, { where: path, cause: error });
  }
  return parseInput(schema, value, path);
}
