/** The second language: verb, subject, object; adjectives after nouns; prepositions; an article for known things only. */
import { isFunctionVerb, type Clause, type Mention, type Sentence } from '../meaning.ts';
import type { Writer } from './writer.ts';

export function writeTalori(sentence: Sentence, out: Writer): void {
  const { form, clause, time, second, because, reported } = sentence;
  switch (form) {
    case 'where':
      out.say('where', 'is');
      writeNoun(clause.subject!, out);
      break;
    case 'there':
      out.say('there');
      writeNoun(clause.subject!, out);
      writeRest(clause, out);
      break;
    case 'who':
      out.say('who');
      writeClause(clause, out);
      break;
    case 'rule':
      writeClause(clause, out);
      out.say('who', 'also');
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
    out.say('because', 'is', clause.subject!.pronoun);
    out.write(because);
  }
  if (time) {
    out.say('in');
    out.write(time);
  }
  out.mark(form === 'who' || form === 'where' ? '?' : '.');
}

function writeClause(clause: Clause, out: Writer): void {
  const { verb, negative, subject, manner } = clause;
  if (negative) out.say('never');
  if (isFunctionVerb(verb)) out.say(verb);
  else out.write(verb);
  // Manner stands with the verb.
  if (manner) out.write(manner);
  if (subject) writeNoun(subject, out);
  writeRest(clause, out);
}

function writeRest({ object, andObject, quality, kind, obliques }: Clause, out: Writer): void {
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
}

function writeNoun({ noun, definite, pronoun, adjective, of }: Mention, out: Writer): void {
  if (!noun) return out.say(pronoun);
  const word = out.choose(noun.concept, true);
  if (definite) out.say('the');
  out.write(noun, word);
  if (adjective) out.write(adjective);
  if (of) {
    out.say('of');
    writeNoun(of, out);
  }
}
