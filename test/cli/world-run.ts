/** A small SAE on the embedded language model, trained through the command line. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { EMBEDDED_MODEL } from '../../src/cli/embedded-model.ts';
import { main } from '../../src/cli/main.ts';
import { Tokenizer } from '../../src/lm/tokenizer.ts';
import { World } from '../../src/world/world.ts';

export async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((out += String(chunk)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => ((err += String(chunk)), true));
  const code = await main(argv);
  vi.restoreAllMocks();
  return { code, out, err };
}

/** @returns the run's folder, in the given one */
export async function trainOnWorld(folder: string): Promise<string> {
  const [text, acts, out] = ['text.jsonl', 'acts', 'run'].map((name) => join(folder, name));
  const tokenizer = Tokenizer.open(EMBEDDED_MODEL);
  const world = new World();
  const lines = Array.from({ length: 400 }, (_, i) => {
    return `${JSON.stringify({ text: tokenizer.decode(world.document('train', i).tokens) })}\n`;
  });
  writeFileSync(text, lines.join(''));
  const model = ['--model', EMBEDDED_MODEL, '--text', text, '--layer', '1'];
  const harvested = await run('harvest', ...model, '--tokens', '10k', '--out', acts);
  expect(harvested.code, harvested.err).toBe(0);
  const sets = ['width=64', 'k=4', 'batch=500', 'heldOut=0.5'].flatMap((set) => ['--set', set]);
  const trained = await run('train', '--acts', acts, '--arch', 'topk', '--tokens', '20k', '--out', out, ...sets);
  expect(trained.code, trained.err).toBe(0);
  return out;
}
