/** The work of `saeforest extract`: opens runs, extracts, writes the forest and shows its largest families. */
import { basename, dirname, join, resolve } from 'node:path';
import { unknownName } from '../core/config.ts';
import { UsageError } from '../core/errors.ts';
import { makeFolder } from '../core/files.ts';
import { CpuDevice } from '../engine/cpu/device.ts';
import type { Device } from '../engine/device.ts';
import {
  checkParents,
  describeForest,
  extractByActivation,
  extractByDirection,
  forestOf,
  isNearest,
  NEAREST_METHODS,
  writeForest,
  type ExtractedParents,
  type ForestNumbers,
  type NearestMethod,
} from '../evals/extraction.ts';
import { openHarvestedModel } from '../evals/harvested-model.ts';
import { topTokens } from '../evals/top-tokens.ts';
import { METHODS, type Method } from '../forest/extract.ts';
import { UNASSIGNED } from '../forest/assignment.ts';
import { drawForest } from '../forest/draw.ts';
import { Forest } from '../forest/forest.ts';
import { openRun, RUN_FILES, type OpenRun } from '../training/runs.ts';
import type { CommonConfig } from '../training/config.ts';
import { openSource } from '../training/sources.ts';
import type { ExtractOptions } from './extract.ts';
import { hubHooks } from './model-argument.ts';
import type { Terminal } from './terminal.ts';

/** How much of the forest is shown. */
const FAMILIES = 8;
const LATENTS_OF_A_FAMILY = 12;
const CHILDREN_OF_A_LATENT = 6;
const TOKENS_OF_A_LATENT = 6;

export async function extractFromRun(options: ExtractOptions, terminal: Terminal): Promise<void> {
  const method = chooseMethod(options);
  const device = await CpuDevice.create();
  try {
    const run = openRun(options.run, device);
    if (run.sae.forest) {
      if (options.method === undefined && options.parents === undefined)
        return reportOwn(run, run.sae.forest, terminal);
      terminal.note(`${run.sae.architecture} has a forest of its own; this is another one, from what its latents do`);
    }
    const parents = options.parents === undefined ? undefined : openRun(options.parents, device);
    if (parents) {
      checkParents(run, parents);
      if (parents.config.common.seed === run.config.common.seed) {
        terminal.note('both SAEs were trained with the same seed: their latents may have begun alike');
      }
    }
    const extracted = await extract(device, run, parents, method, options, terminal);
    await publish(run, parents, method, extracted, options, terminal);
  } finally {
    await device.close();
  }
}

/** @throws UsageError for an unknown method, and for options that it does not have */
function chooseMethod({
  method,
  parents,
  threshold,
  unassigned,
  minDescendants,
}: ExtractOptions): Method | NearestMethod {
  const known = [...METHODS, ...NEAREST_METHODS];
  const wanted = method ?? (parents === undefined ? 'weighted-coverage' : 'encoder-cosine');
  const found = known.find((name) => name === wanted);
  if (!found) throw new UsageError(unknownName('method', wanted, known), { hint: 'saeforest extract --help' });
  if (isNearest(found) && parents === undefined) {
    throw new UsageError(`--method ${found} compares latents with those of another SAE`, {
      hint: 'add --parents RUN, or choose another method',
    });
  }
  if (isNearest(found) && threshold !== undefined) {
    throw new UsageError(`--threshold is not for ${found}`, {
      hint: '--unassigned 0.2 leaves the least similar alone',
    });
  }
  if (!isNearest(found) && unassigned !== undefined) {
    throw new UsageError(`--unassigned is not for ${found}`, { hint: '--threshold 0.9 decides who has a parent' });
  }
  if (parents !== undefined && minDescendants !== undefined) {
    throw new UsageError('--min-descendants is for forests within one SAE', { hint: 'leave it out with --parents' });
  }
  return found;
}

function reportOwn(run: OpenRun, forest: Forest, terminal: Terminal): void {
  const file = join(run.checkpoint, 'hierarchy.safetensors');
  const numbers = describeForest(forest);
  terminal.result({ architecture: run.sae.architecture, own_forest: true, file, ...numbers }, [
    `${run.sae.architecture} has a forest of its own, in ${file}.`,
    summary(numbers),
    'Another one, from what its latents do: saeforest extract with --method, e.g. --method weighted-coverage',
  ]);
}

async function extract(
  device: Device,
  run: OpenRun,
  parents: OpenRun | undefined,
  method: Method | NearestMethod,
  { acts, threshold, rows, minDescendants, unassigned = UNASSIGNED }: ExtractOptions,
  terminal: Terminal,
): Promise<ExtractedParents> {
  // Without another SAE, chooseMethod refuses these.
  if (isNearest(method)) return extractByDirection(device, run, parents!, method, unassigned);
  const { common } = run.config;
  const source = await openSource({ ...common, acts: acts ?? common.acts }, { kind: 'none' });
  try {
    const rule = {
      method,
      rows,
      ...(threshold !== undefined && { threshold }),
      ...(minDescendants !== undefined && { minDescendants }),
    };
    return await extractByActivation(device, run, parents, source, rule, (done, total) =>
      terminal.progress(`${done.toLocaleString('en')} of ${total.toLocaleString('en')} rows`, done === total),
    );
  } finally {
    await source.close();
  }
}

async function publish(
  run: OpenRun,
  parents: OpenRun | undefined,
  method: string,
  extracted: ExtractedParents,
  { acts = run.config.common.acts, model, out, parents: parentsFolder }: ExtractOptions,
  terminal: Terminal,
): Promise<void> {
  const forest = forestOf(extracted, parents?.sae.width);
  const numbers = describeForest(forest);
  const { architecture, width } = run.sae;
  const document = {
    architecture,
    width,
    step: run.step,
    ...extracted.how,
    ...(extracted.sample && { acts }),
    ...(parents && {
      parents: {
        run: parentsFolder,
        architecture: parents.sae.architecture,
        width: parents.sae.width,
        step: parents.step,
      },
    }),
    ...numbers,
  };
  const name = parents ? `${method}-in-${basename(resolve(parents.folder))}` : method;
  const file = out ?? join(run.folder, RUN_FILES.forest, `${name}.safetensors`);
  makeFolder(dirname(file));
  writeForest(file, extracted, forest, document);
  const showTokens = terminal.json
    ? () => ''
    : await tokensOf(extracted, { ...run.config.common, acts }, model, terminal);
  terminal.result({ file, ...document }, [
    ...drawFamilies(forest, extracted, parents?.sae.width ?? 0, showTokens),
    summary(numbers),
    ...Object.entries(extracted.how).map(([key, value]) => `  ${key}: ${text(value)}`),
    parents
      ? `Parents are latents of ${parentsFolder}, an SAE of width ${parents.sae.width}; the forest is in ${file}`
      : `The forest is in ${file}`,
  ]);
}

const text = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? Object.entries(value)
        .map(([key, part]) => `${key} ${String(part)}`)
        .join(', ')
    : String(value);

function summary({
  edges,
  roots_with_children,
  latents_alone,
  largest_family,
  latents_by_depth,
}: ForestNumbers): string {
  return (
    `${edges} edges in ${roots_with_children} families, the largest of ${largest_family} latents; ` +
    `${latents_alone} latents alone; by depth ${latents_by_depth.join(', ')}`
  );
}

/** The largest families, each with its most frequent latents. */
function drawFamilies(
  forest: Forest,
  { sample, score, parent }: ExtractedParents,
  parentWidth: number,
  tokensOf: (node: number) => string,
): string[] {
  const sizes = forest.subtreeSizes();
  const families = [...forest.roots].filter((root) => sizes[root] > 1).sort((a, b) => sizes[b] - sizes[a] || a - b);
  const fired = (node: number): number => {
    if (!sample) return 0;
    return node < parentWidth ? sample.parents.countOf(node) : sample.children.countOf(node - parentWidth);
  };
  const frequency = Float64Array.from({ length: forest.size }, (_, node) => fired(node));
  const label = (node: number): string => {
    const child = node - parentWidth;
    const above = child >= 0 && parent[child] !== -1 ? `  ${score[child].toFixed(2)}` : '';
    const share = sample ? `  ${((100 * frequency[node]) / sample.children.rows).toFixed(2)} %` : '';
    return `${child < 0 ? node : child}${above}${share}  ${tokensOf(node)}`.trimEnd();
  };
  return families.slice(0, FAMILIES).flatMap((root) => {
    const tree = subtree(forest, root);
    const drawing = drawForest(tree.forest, {
      label: (node) => label(tree.nodes[node]),
      frequency: tree.nodes.map((node) => frequency[node]),
      maxNodes: LATENTS_OF_A_FAMILY,
      maxChildren: CHILDREN_OF_A_LATENT,
      width: 110,
    });
    return [drawing, ''];
  });
}

function subtree(forest: Forest, root: number): { forest: Forest; nodes: number[] } {
  const nodes = [root];
  const parents = [-1];
  for (let i = 0; i < nodes.length; i++) {
    for (const child of forest.children(nodes[i])) {
      nodes.push(child);
      parents.push(i);
    }
  }
  return { forest: new Forest(parents), nodes };
}

/** Text of a node: the tokens at which it fires most, as far as the language model's tokenizer is at hand. */
async function tokensOf(
  { sample }: ExtractedParents,
  common: Pick<CommonConfig, 'acts' | 'live'>,
  folder: string | undefined,
  terminal: Terminal,
): Promise<(node: number) => string> {
  const tokens = sample?.tokens;
  if (!tokens) return () => '';
  const harvested = await openHarvestedModel(common, folder, hubHooks(terminal));
  if (typeof harvested === 'string') {
    terminal.note(`without tokens: ${harvested}`);
    return () => '';
  }
  const { tokenizer } = harvested.model;
  const parentWidth = sample.parents === sample.children ? 0 : sample.parents.width;
  return (node) => {
    const [firings, latent] = node < parentWidth ? [sample.parents, node] : [sample.children, node - parentWidth];
    return topTokens(firings, tokens, latent, TOKENS_OF_A_LATENT)
      .map((token) => tokenizer.token(token))
      .join(' ');
  };
}
