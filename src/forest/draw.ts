/** Forests as text. */
import type { Forest } from './forest.ts';

export interface DrawOptions {
  /** Text of a node; control characters are shown as spaces. */
  readonly label: (node: number) => string;
  /** Siblings are drawn in descending order of this, then by index; trees come before nodes without any edge. */
  readonly frequency: ArrayLike<number>;
  /** Put before the label, for example a mark of one column. */
  readonly mark?: (node: number) => string;
  /** Longest line in characters; longer ones end in `…`. 80. */
  readonly width?: number;
  /** Most nodes drawn; `… n more` stands for the others. 60. */
  readonly maxNodes?: number;
  /** Most children drawn of one node. 12. */
  readonly maxChildren?: number;
}

/**
 * One line per node, in preorder:
 * ```
 * animal
 * ├─ bird
 * │  └─ owl
 * └─ fish
 * ```
 */
export function drawForest(forest: Forest, options: DrawOptions): string {
  const { label, frequency, mark, width = 80, maxNodes = 60, maxChildren = 12 } = options;
  const sizes = forest.subtreeSizes();
  const byFrequency = (a: number, b: number): number => frequency[b] - frequency[a] || a - b;
  const lines: string[] = [];
  let drawn = 0;

  const drawFamily = (family: readonly number[], indent: string, most: number, isRoot: boolean): void => {
    for (let i = 0; i < family.length; i++) {
      const last = i === family.length - 1;
      if (i === most || drawn === maxNodes) {
        const hidden = family.slice(i).reduce((sum, node) => sum + sizes[node], 0);
        lines.push(clip(`${indent}${isRoot ? '' : '└─ '}… ${hidden} more`, width));
        return;
      }
      const node = family[i];
      const branch = isRoot ? '' : last ? '└─ ' : '├─ ';
      lines.push(clip(indent + branch + (mark ? `${mark(node)} ` : '') + oneLine(label(node)), width));
      drawn++;
      const deeper = isRoot ? indent : indent + (last ? '   ' : '│  ');
      drawFamily([...forest.children(node)].sort(byFrequency), deeper, maxChildren, false);
    }
  };
  const isolated = (node: number): number => (sizes[node] === 1 ? 1 : 0);
  const roots = [...forest.roots].sort((a, b) => isolated(a) - isolated(b) || byFrequency(a, b));
  drawFamily(roots, '', Infinity, true);
  return lines.join('\n');
}

/** Two texts in columns with titles; the left one is padded to its longest line. */
export function drawBeside(leftTitle: string, left: string, rightTitle: string, right: string): string {
  const leftLines = [leftTitle, ...left.split('\n')];
  const rightLines = [rightTitle, ...right.split('\n')];
  const column = Math.max(...leftLines.map(length));
  const rows = Math.max(leftLines.length, rightLines.length);
  const lines = Array.from({ length: rows }, (_, i) => {
    const text = leftLines[i] ?? '';
    return `${text}${' '.repeat(column - length(text))}   ${rightLines[i] ?? ''}`.trimEnd();
  });
  return lines.join('\n');
}

export interface RecoveryDrawing {
  readonly truth: Forest;
  readonly recovered: Forest;
  /** `[latents]` feature of each latent, −1 for none. */
  readonly match: Int32Array;
  /** Name of a feature. */
  readonly name: (feature: number) => string;
  /** Text of a latent; by default the name of its feature. */
  readonly latentLabel?: (latent: number) => string;
  /** `[features]`, orders both drawings. */
  readonly probability: ArrayLike<number>;
  /** Longest line of either column. 40. */
  readonly width?: number;
  readonly maxNodes?: number;
}

/**
 * The recovered forest beside the true one, both in the order of the true one's frequencies.
 * Recovered: `✓` the latent's feature has this parent (or both are roots), `+` spurious, it has not or there is no feature.
 * True: `✓` some latent says so, `✗` missed.
 */
export function drawRecovery(drawing: RecoveryDrawing): string {
  const { truth, recovered, match, name, probability, width = 40, maxNodes = 60 } = drawing;
  const latentLabel = drawing.latentLabel ?? ((i) => (match[i] === -1 ? `latent ${i}` : name(match[i])));
  const isRight = (latent: number): boolean => {
    if (match[latent] === -1) return false;
    const above = recovered.parent[latent];
    const trueAbove = truth.parent[match[latent]];
    return above === -1 ? trueAbove === -1 : match[above] !== -1 && match[above] === trueAbove;
  };
  const found = new Uint8Array(truth.size);
  match.forEach((feature, latent) => {
    if (isRight(latent)) found[feature] = 1;
  });
  const left = drawForest(recovered, {
    label: latentLabel,
    frequency: Array.from(match, (feature) => (feature === -1 ? -1 : probability[feature])),
    mark: (latent) => (isRight(latent) ? '✓' : '+'),
    width,
    maxNodes,
  });
  const right = drawForest(truth, {
    label: name,
    frequency: probability,
    mark: (feature) => (found[feature] ? '✓' : '✗'),
    width,
    maxNodes,
  });
  return drawBeside('recovered', left, 'true', right);
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

function length(text: string): number {
  return [...text].length;
}

function clip(line: string, width: number): string {
  const characters = [...line];
  return characters.length <= width ? line : `${characters.slice(0, width - 1).join('')}…`;
}
