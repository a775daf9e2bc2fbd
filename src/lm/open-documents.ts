/** Opens the text that a harvest or a live training is given by name. */
import { TextCorpus, type CorpusOptions } from './corpus.ts';
import type { Documents } from './documents.ts';

/**
 * @param names text files
 * @throws InputError for text that cannot be read, or is empty
 */
export function openDocuments(names: readonly string[], options: CorpusOptions): Promise<Documents> {
  return TextCorpus.open(names, options);
}
