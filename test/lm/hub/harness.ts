/** A fake Hub with a model, and downloads from it that lose no time over failures. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { SaeforestError } from '../../../src/core/errors.ts';
import { fetchModel, type HubModel } from '../../../src/lm/hub/fetch-model.ts';
import { parseReference } from '../../../src/lm/hub/reference.ts';
import type { HubSettings } from '../../../src/lm/hub/settings.ts';
import type { HubHooks, HubProgress } from '../../../src/lm/hub/transfer.ts';
import { FakeHub, type Content } from '../../support/fake-hub.ts';
import { CONFIG, temporaryFolder, TOKENIZER } from '../folder.ts';
import { encode, tinyTransformer } from '../tiny.ts';

export const TOKEN = 'token-of-the-test';

export const ONNX = encode(tinyTransformer({ layers: 2, wiring: 'sequential' }).model);

/** Files of a repository, also such that no model needs. */
export const REPO: Record<string, Content> = {
  '.gitattributes': '*.onnx filter=lfs',
  'README.md': 'a tiny model',
  'config.json': CONFIG,
  'generation_config.json': { bos_token_id: 0 },
  'onnx/model.onnx': ONNX,
  'onnx/model_q4.onnx': Buffer.concat([ONNX, Buffer.of()]),
  'pytorch_model.bin': Buffer.alloc(5000, 1),
  'tokenizer.json': TOKENIZER,
  'tokenizer_config.json': {},
};
/** In the order of their download. */
export const NEEDED = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json'];

export interface Fetched extends HubModel {
  notes: string[];
  progress: HubProgress[];
}

export class Harness {
  readonly hub: FakeHub;
  readonly cache = join(temporaryFolder(), 'cache');
  readonly notes: string[] = [];

  private constructor(hub: FakeHub) {
    this.hub = hub;
  }

  static async start(files = REPO): Promise<Harness> {
    const harness = new Harness(await FakeHub.start());
    harness.hub.publish('tiny/model', files);
    return harness;
  }

  /** Folder of the repository in the cache. */
  get folder(): string {
    return join(this.cache, 'models--tiny--model');
  }

  async fetch(
    reference = 'hf:tiny/model',
    settings: Partial<HubSettings> & { isThorough?: boolean } = {},
    hooks: HubHooks = {},
  ): Promise<Fetched> {
    const notes: string[] = [];
    const progress: HubProgress[] = [];
    const model = await fetchModel(
      parseReference(reference),
      { onNote: (line) => notes.push(line), onProgress: (state) => progress.push(state), ...hooks },
      settings.isThorough,
      {
        endpoint: this.hub.endpoint,
        token: TOKEN,
        cache: this.cache,
        isOffline: false,
        timeoutMs: 2000,
        pausesMs: [1, 1, 1],
        ...settings,
      },
    );
    return { ...model, notes, progress };
  }

  /** The message for the user, of a download that has to fail. */
  async failure(...args: Parameters<Harness['fetch']>): Promise<string> {
    const error: unknown = await this.fetch(...args).then(
      () => new Error('it did not fail'),
      (reason: unknown) => reason,
    );
    if (!(error instanceof SaeforestError)) throw error;
    const text = error.render();
    expect(text).not.toContain(TOKEN);
    return text;
  }
}
