/** Documents of the world for readers. */
import type { WorldDocument, World } from '../world/world.ts';
import { LANGUAGES } from '../world/languages/lexicon.ts';
import { NO_LANGUAGE } from '../world/languages/writer.ts';

/** A line per sentence; with the truth, a line per word with its concepts from leaf to root. */
export function showDocument(world: World, document: WorldDocument, truth: boolean, colors: Colors): string[] {
  return document.starts.flatMap((start, s) => {
    const end = document.starts[s + 1] ?? document.tokens.length;
    return truth ? interlinear(world, document, start, end, colors) : [sentence(world, document, start, end)];
  });
}

/** The same for programs. */
export function describeDocument(world: World, document: WorldDocument, i: number): object {
  return {
    document: i,
    text: world.textOf(document),
    surprisal: document.surprisal,
    tokens: Array.from(document.tokens, (id, at) => ({
      id,
      word: world.vocabulary[id],
      language: LANGUAGES[document.languages[at]] ?? null,
      concepts: world.chainOf(document.concepts[at]).map((concept) => world.names[concept]),
    })),
  };
}

type Colors = Record<'dim' | 'bold' | 'cyan' | 'yellow' | 'green' | 'magenta', (text: string) => string>;

function sentence({ vocabulary }: World, { tokens }: WorldDocument, start: number, end: number): string {
  return Array.from(tokens.subarray(start, end), (token) => vocabulary[token]).join(' ');
}

function interlinear(world: World, document: WorldDocument, start: number, end: number, colors: Colors): string[] {
  const { tokens, concepts, languages } = document;
  const words = Array.from(tokens.subarray(start, end), (token) => world.vocabulary[token]);
  const width = Math.max(...words.map((word) => word.length));
  const paint = [colors.cyan, colors.yellow, colors.magenta];
  const lines = words.map((word, i) => {
    const language = languages[start + i];
    const chain = world.chainOf(concepts[start + i]).map((concept) => world.names[concept]);
    const color = language === NO_LANGUAGE ? colors.dim : paint[language];
    const truth =
      chain.length === 0
        ? ''
        : `${colors.bold(chain[0])}${colors.dim(
            chain
              .slice(1)
              .map((name) => ` < ${name}`)
              .join(''),
          )}`;
    return `${color(word.padEnd(width))}  ${truth}`.trimEnd();
  });
  return [...lines, ''];
}
