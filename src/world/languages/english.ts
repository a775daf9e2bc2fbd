/** The first language: subject, verb, object; adjectives before nouns; prepositions; articles. */
import { isFunctionVerb, type Clause, type Mention, type Sentence } from '../meaning.ts';
import type { Writer } from './writer.ts';

export function writeEnglish(sentence: Sentence, out: Writer): void {
  const { form, clause, time, second, because, reported } = sentence;
  if (time) {
    out.say('in', 'the');
    out.write(time);
    out.mark(',');
  }
  switch (form) {
    case 'where':
      out.say('where', 'is');
      writeNoun(clause.subject!, out);
      break;
    case 'there':
      out.say('there', 'is');
      writeNoun(clause.subject!, out);
      writeRest(clause, out);
      break;
    case 'who':
      out.say('who');
      writePredicate(clause, out);
      break;
    case 'rule':
      out.say('who');
      writePredicate(clause, out);
      out.say('also');
      out.write(second!);
      break;
    case 'plain':
      writeClause(clause, out);
      if (second) {
        out.say('and');
        out.write(second);
      }
      if (reported) {
        out.say('that');
        writeClause(reported, out);
      }
      break;
  }
  if (because) {
    out.say('because', clause.subject!.pronoun, 'is');
    out.write(because);
  }
  out.mark(form === 'who' || form === 'where' ? '?' : '.');
}

function writeClause(clause: Clause, out: Writer): void {
  writeNoun(clause.subject!, out);
  writePredicate(clause, out);
}

function writePredicate(clause: Clause, out: Writer): void {
  const { verb, negative } = clause;
  if (verb === 'made') out.say('is', ...(negative ? (['never'] as const) : []), 'made');
  else if (isFunctionVerb(verb)) out.say(verb, ...(negative ? (['never'] as const) : []));
  else {
    if (negative) out.say('never');
    out.write(verb);
  }
  writeRest(clause, out);
}

function writeRest({ object, andObject, quality, kind, obliques, manner }: Clause, out: Writer): void {
  if (object) writeNoun(object, out);
  if (andObject) {
    out.say('and');
    writeNoun(andObject, out);
  }
  if (quality) out.write(quality);
  if (kind) writeNoun(kind, out);
  for (const { relation, noun } of obliques) {
    out.say(relation);
    writeNoun(noun, out);
  }
  if (manner) out.write(manner);
}

function writeNoun({ noun, definite, isMass, pronoun, adjective, of }: Mention, out: Writer): void {
  if (!noun) return out.say(pronoun);
  const word = out.choose(noun.concept, true);
  const adjectiveWord = adjective && out.choose(adjective.concept);
  if (definite) out.say('the');
  else if (!isMass) out.say(out.startsWithVowel((adjectiveWord ?? word).token) ? 'an' : 'a');
  if (adjective) out.write(adjective, adjectiveWord);
  out.write(noun, word);
  if (of) {
    out.say('of');
    writeNoun(of, out);
  }
}
