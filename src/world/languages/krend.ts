/**
 * The third language: subject, object, verb, each noun followed by a particle for its part in the sentence; adjectives and
 * owners before nouns; a word after known things.
 */
import { isFunctionVerb, type Clause, type Mention, type Sentence } from '../meaning.ts';
import type { FunctionWord } from './function-words.ts';
import type { Writer } from './writer.ts';

export function writeKrend(sentence: Sentence, out: Writer): void {
  const { form, clause, time, second, because, reported } = sentence;
  if (time) {
    out.write(time);
    out.say('in');
  }
  switch (form) {
    case 'where':
      writeNoun(clause.subject!, 'subject', out);
      out.say('where', 'is', 'ask');
      break;
    case 'there':
      writeObliques(clause, out);
      writeNoun(clause.subject!, 'subject', out);
      out.say('there');
      break;
    case 'who':
      out.say('who', 'subject');
      writePredicate(clause, out);
      out.say('ask');
      break;
    case 'rule':
      out.say('who');
      writePredicate(clause, out);
      out.mark(',');
      out.write(second!);
      out.say('also');
      break;
    case 'plain':
      writeNoun(clause.subject!, 'subject', out);
      if (reported) {
        writeNoun(reported.subject!, 'subject', out);
        writePredicate(reported, out);
        out.say('that');
      }
      writePredicate(clause, out);
      if (second) {
        out.say('and');
        out.write(second);
      }
      break;
  }
  if (because) {
    out.mark(',');
    out.write(because);
    out.say('is', 'because');
  }
  out.mark(form === 'who' || form === 'where' ? '?' : '.');
}

function writePredicate(clause: Clause, out: Writer): void {
  const { verb, negative, object, andObject, quality, kind, manner } = clause;
  writeObliques(clause, out);
  if (object) writeNoun(object, 'object', out);
  if (andObject) {
    out.say('and');
    writeNoun(andObject, 'object', out);
  }
  if (quality) out.write(quality);
  if (kind) writeNoun(kind, undefined, out);
  if (manner) out.write(manner);
  if (isFunctionVerb(verb)) out.say(verb);
  else out.write(verb);
  if (negative) out.say('never');
}

function writeObliques({ obliques }: Clause, out: Writer): void {
  for (const { relation, noun } of obliques) writeNoun(noun, relation, out);
}

function writeNoun(mention: Mention, particle: FunctionWord | undefined, out: Writer): void {
  const { noun, definite, pronoun, adjective, of } = mention;
  if (of) writeNoun(of, 'of', out);
  if (noun) {
    const word = out.choose(noun.concept, true);
    if (adjective) out.write(adjective);
    out.write(noun, word);
    if (definite) out.say('the');
  } else {
    out.say(pronoun);
  }
  if (particle) out.say(particle);
}
