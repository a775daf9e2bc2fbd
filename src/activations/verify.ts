/** Checks every byte of a shard folder. */
import { closeSync } from 'node:fs';
import { InputError, SaeforestError } from '../core/errors.ts';
import { readManifest } from './manifest.ts';
import { ShardFile } from './shard-file.ts';

/**
 * Compares all shards with the manifest: layout, SHA-256, finite values.
 * @returns what was checked
 * @throws InputError naming every shard that is missing or damaged
 */
export async function verify(folder: string): Promise<{ shards: number; rows: number; complete: boolean }> {
  const manifest = readManifest(folder);
  const damaged: string[] = [];
  for (const [index, { file }] of manifest.shards.entries()) {
    try {
      closeSync(await new ShardFile(folder, manifest, index).open());
    } catch (error) {
      if (!(error instanceof SaeforestError)) throw error;
      damaged.push(`${file}: ${error.message}`);
    }
  }
  if (damaged.length > 0) {
    throw new InputError(
      `${damaged.length} of ${manifest.shards.length} shards are damaged:\n    ${damaged.join('\n    ')}`,
      {
        where: folder,
        hint: 'restore them from where they were copied, or harvest again',
      },
    );
  }
  return { shards: manifest.shards.length, rows: manifest.counts.rows, complete: manifest.complete };
}
