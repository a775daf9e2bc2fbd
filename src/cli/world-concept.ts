/** One concept of the world for readers. */
import { groupBy } from '../world/group.ts';
import type { Aspect } from '../world/behaviour.ts';
import { LANGUAGES } from '../world/languages/lexicon.ts';
import type { World } from '../world/world.ts';

const ASPECTS: readonly Aspect[] = ['is', 'has', 'at', 'of', 'holds', 'how', 'with'];
/** Where only the nearest kind that says anything counts. */
const NEAREST: readonly Aspect[] = ['at', 'of', 'holds', 'with'];

interface KindDescription {
  readonly kind: string;
  readonly does: readonly string[];
  readonly aspects: Partial<Record<Aspect, string[]>>;
}

export interface ConceptDescription {
  readonly concept: string;
  /** From its parent to its root. */
  readonly above: readonly string[];
  readonly below: readonly string[];
  /** Words by language, with what else they mean. */
  readonly words: Record<string, { word: string; alsoMeans: string[] }[]>;
  /** What follows from each kind that it is of, itself first. */
  readonly kinds: readonly KindDescription[];
  /** Actions that it never does in training. */
  readonly heldOut: readonly string[];
}

export function describeConcept(world: World, concept: number): ConceptDescription {
  const { names, taxonomy, behaviour, lexicon } = world;
  const nameAll = (concepts: Iterable<number>): string[] => Array.from(concepts, (c) => names[c]);
  const words = LANGUAGES.map((language, l) => [
    language,
    Array.from(lexicon.words[l][concept], (token) => ({
      word: world.vocabulary[token],
      alsoMeans: lexicon
        .meanings(token)
        .filter((meaning) => meaning.language !== l || meaning.concept !== concept)
        .map((meaning) => `${names[meaning.concept]} (${LANGUAGES[meaning.language]})`),
    })),
  ]);
  const abilities = groupBy(behaviour.abilities(concept), ({ rule }) => rule.kind);
  const kinds = taxonomy.chainOf(concept).map((kind) => {
    const does = (abilities.get(kind) ?? []).flatMap(({ verb, rule }, _, all) => {
      // An action above it that is done in the same way stands for it.
      const above = taxonomy.forest.parent[verb];
      if (all.some((other) => other.verb === above && other.rule === rule)) return [];
      const to = rule.receivers ? ` to ${nameAll(rule.receivers.concepts).join(', ')}` : '';
      return [`${names[verb]}${rule.objects ? ` ${nameAll(rule.objects.concepts).join(', ')}` : ''}${to}`];
    });
    const aspects: Partial<Record<Aspect, string[]>> = {};
    for (const aspect of ASPECTS) {
      const own = behaviour.own(kind, aspect);
      const counts = own.length > 0 && (!NEAREST.includes(aspect) || behaviour.nearest(concept, aspect) === own);
      if (counts) aspects[aspect] = nameAll(own);
    }
    return { kind: names[kind], does, aspects };
  });
  return {
    concept: names[concept],
    above: nameAll(taxonomy.forest.ancestors(concept)),
    below: nameAll(taxonomy.forest.children(concept)),
    words: Object.fromEntries(words) as ConceptDescription['words'],
    kinds: kinds.filter(({ does, aspects }) => does.length > 0 || Object.keys(aspects).length > 0),
    heldOut: nameAll(world.pairs.heldOut.get(concept) ?? []),
  };
}

type Colors = Record<'bold' | 'dim' | 'cyan', (text: string) => string>;

export function showConcept(description: ConceptDescription, colors: Colors): string[] {
  const { concept, above, below, words, kinds, heldOut } = description;
  const lines = [`${colors.bold(concept)}${colors.dim(above.map((name) => ` < ${name}`).join(''))}`];
  if (below.length > 0) lines.push(`kinds: ${below.join(', ')}`);
  for (const [language, ofLanguage] of Object.entries(words)) {
    const each = ofLanguage.map(
      ({ word, alsoMeans }) => word + (alsoMeans.length > 0 ? colors.dim(` (also ${alsoMeans.join(', ')})`) : ''),
    );
    lines.push(`${language.padEnd(8)} ${each.join(', ')}`);
  }
  for (const { kind, does, aspects } of kinds) {
    lines.push('', colors.cyan(kind === concept ? kind : `as ${kind}`));
    if (does.length > 0) lines.push(`  does   ${does.join('; ')}`);
    for (const [aspect, names] of Object.entries(aspects)) lines.push(`  ${aspect.padEnd(6)} ${names.join(', ')}`);
  }
  if (heldOut.length > 0) lines.push('', `never in training: ${heldOut.join(', ')}`);
  return lines;
}
