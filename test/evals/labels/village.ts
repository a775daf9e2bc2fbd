/**
 * A language of 40 words with an SAE that understands it: latent w < 20 fires on word w, latent 20 + g on the five words of group g.
 * Word 39 ends sentences. Somebody who knows that can answer every question rightly.
 */
import { Random } from '../../../src/core/random.ts';
import type { Device } from '../../../src/engine/device.ts';
import type { EvalContext, HarvestedModel } from '../../../src/evals/context.ts';
import { Forest } from '../../../src/forest/forest.ts';
import type { ChatRequest } from '../../support/fake-endpoint.ts';
import { context, linearSae, memorySource } from '../support.ts';

export const WORDS = 40;
const CHILDREN = 20;
const GROUP = 5;
export const LATENTS = CHILDREN + CHILDREN / GROUP;

/** Groups are named by a letter: a0 … a4, b0 …; fillers f20 … f39. */
export const word = (token: number): string =>
  token < CHILDREN ? `${'abcd'[Math.floor(token / GROUP)]}${token % GROUP}` : `f${token}`;

export const firesOn = (latent: number, token: number): boolean =>
  latent < CHILDREN ? token === latent : token < CHILDREN && Math.floor(token / GROUP) === latent - CHILDREN;

export const forest = new Forest(
  Array.from({ length: LATENTS }, (_, i) => (i < CHILDREN ? CHILDREN + Math.floor(i / GROUP) : -1)),
);

/** @param documents of 50 tokens */
export function villageContext(device: Device, documents: number, changes: Partial<EvalContext> = {}): EvalContext {
  const length = 50;
  const rows = documents * length;
  const random = new Random(5, 'village');
  const tokens = Int32Array.from({ length: rows }, () =>
    random.uniform() < 0.2 ? random.below(CHILDREN) : 20 + random.below(20),
  );
  const acts = new Float32Array(rows * LATENTS);
  for (let row = 0; row < rows; row++) {
    for (let latent = 0; latent < LATENTS; latent++) {
      if (firesOn(latent, tokens[row])) acts[row * LATENTS + latent] = 1 + random.uniform();
    }
  }
  const origins = {
    tokens,
    pos: Int32Array.from(tokens, (_, row) => row % length),
    doc: Int32Array.from(tokens, (_, row) => Math.floor(row / length)),
  };
  const identity = Float32Array.from({ length: LATENTS ** 2 }, (_, i) => Number(i % (LATENTS + 1) === 0));
  const sae = linearSae(device, LATENTS, identity, identity);
  const tokenizer = { decode: (ids: Int32Array) => Array.from(ids, word).join(' ') };
  const model = { model: { tokenizer } } as unknown as HarvestedModel;
  return context(device, sae, memorySource(acts, LATENTS, origins), { model, forest, ...changes });
}

const marks = (text: string): string[] => [...text.matchAll(/<<(.*?)>>/g)].flatMap(([, run]) => run.split(' '));
const texts = (block: string): string[] => [...block.matchAll(/^\d+\. (.*)$/gm)].map(([, text]) => text);
const distinct = (words: readonly string[]): string[] => [...new Set(words)].sort();

/** Somebody who knows what they see: an explanation lists the words at which a latent fires. */
export function knowingAnswer({ messages }: ChatRequest): string {
  const [{ content: task }, { content: user }] = messages;
  if (task.includes('HaveRelationship')) {
    const [a, b] = user.split('Unit B:').map((unit) => distinct(texts(unit).flatMap(marks)));
    const isPart = b.every((one) => a.includes(one)) && a.length > b.length;
    return `HaveRelationship: [${isPart ? 'Yes' : 'No'}] Confidence: [High]`;
  }
  if (task.includes('Explanation:')) return `Explanation: ${distinct(texts(user).flatMap(marks)).join(' ')}`;
  const known = /^Description: (.*)$/m.exec(user)![1].split(' ');
  const fits = texts(user).map((text) => {
    const looked = task.includes('were moved') ? marks(text) : text.split(' ');
    return task.includes('were moved')
      ? looked.every((one) => known.includes(one))
      : looked.some((one) => known.includes(one));
  });
  if (task.includes('numbers of those texts')) {
    return JSON.stringify(fits.flatMap((fit, i) => (fit ? [i + 1] : [])));
  }
  return JSON.stringify(fits.map(Number));
}
