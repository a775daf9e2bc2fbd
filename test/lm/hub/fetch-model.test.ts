import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { describe, expect, it, vi } from 'vitest';
import { InterruptedError, UsageError } from '../../../src/core/errors.ts';
import { resolveModel } from '../../../src/lm/hub.ts';
import { LanguageModel } from '../../../src/lm/model.ts';
import { StringStringEntryProtoSchema } from '../../../src/lm/onnx/onnx_pb.ts';
import { refusal } from '../../support/fake-hub.ts';
import { temporaryFolder } from '../folder.ts';
import { encode, tinyTransformer } from '../tiny.ts';
import { Harness, NEEDED, ONNX, REPO, TOKEN } from './harness.ts';

const MODEL = 'onnx/model.onnx';
const HALF = Math.floor(ONNX.length / 2);

/** A model whose weights are in two further files. */
function external(): { onnx: Uint8Array; data: Buffer[] } {
  const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
  const data: Buffer[] = [];
  for (const tensor of model.graph!.initializer.filter(({ rawData }) => rawData.length >= 512).slice(0, 2)) {
    const location = ['model.onnx_data', 'weights/more.bin'][data.length];
    tensor.externalData = [create(StringStringEntryProtoSchema, { key: 'location', value: location })];
    tensor.dataLocation = 1;
    data.push(Buffer.from(tensor.rawData));
    tensor.rawData = new Uint8Array(0);
  }
  return { onnx: encode(model), data };
}

/** What is left of downloads that were not completed. */
function incomplete({ folder }: Harness): string[] {
  const blobs = join(folder, 'blobs');
  if (!existsSync(blobs)) return [];
  return readdirSync(blobs)
    .filter((name) => name.endsWith('.incomplete'))
    .map((name) => join(blobs, name));
}

describe('a model of the Hub', () => {
  it('is downloaded: what it needs and no more', async () => {
    const harness = await Harness.start();
    const { hub, folder } = harness;
    const commit = hub.publish('tiny/model', REPO);
    const { notes, progress, ...model } = await harness.fetch();
    expect(model).toMatchObject({
      path: join(folder, 'snapshots', commit),
      reference: `hf:tiny/model@${commit}`,
      folder: join(folder, 'snapshots', commit),
      commit,
    });
    expect(hub.downloads).toEqual([...NEEDED, MODEL]);
    expect(notes).toEqual([]);
    expect((await LanguageModel.open(model.path)).info).toMatchObject({ architecture: 'TinyForCausalLM', layers: 2 });

    // In the layout of the other tools: contents by digest, links to them, the branch.
    expect(readFileSync(join(folder, 'refs/main'), 'utf8')).toBe(commit);
    expect(readdirSync(join(folder, 'blobs')).length).toBe(NEEDED.length + 1);
    expect(lstatSync(join(model.path, MODEL)).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(model.path, MODEL))).toEqual(Buffer.from(ONNX));

    const last = progress.at(-1)!;
    expect(last).toMatchObject({ file: MODEL, fileBytes: ONNX.length, fileSize: ONNX.length, bytes: last.size });
    expect(model.received).toBe(last.received);
    expect(progress.map(({ file }) => file)).toEqual(expect.arrayContaining(NEEDED));
  });

  it('is asked for with the token, which nobody else gets, and uncompressed', async () => {
    const harness = await Harness.start();
    await harness.fetch();
    const { seen } = harness.hub;
    expect(new Set(seen.map(({ server }) => server))).toEqual(new Set(['hub', 'storage']));
    for (const { server, file, headers } of seen) {
      expect(headers.authorization).toBe(server === 'hub' ? `Bearer ${TOKEN}` : undefined);
      if (file !== undefined) expect(headers['accept-encoding']).toBe('identity');
    }
    const anonymous = await Harness.start();
    await anonymous.fetch(undefined, { token: undefined });
    expect(anonymous.hub.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    // The next page of a listing may be anywhere, too.
    const astray = await Harness.start();
    let elsewhere = '';
    astray.hub.spoil = ({ server, url }, answer) => {
      if (server === 'storage') elsewhere ||= url.origin;
      else if (answer.headers.link && elsewhere)
        answer.headers.link = answer.headers.link.replace(url.origin, elsewhere);
    };
    await astray.fetch();
    await astray.failure(undefined, { isThorough: true });
    const strange = astray.hub.seen.filter(
      ({ server, url }) => server === 'storage' && url.pathname.includes('/tree/'),
    );
    expect(strange.length).toBeGreaterThan(0);
    expect(strange.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it('comes from the cache the second time: one question, nothing for a commit', async () => {
    const harness = await Harness.start();
    const first = await harness.fetch();
    const before = harness.hub.seen.length;
    const second = await harness.fetch();
    expect(second).toMatchObject({ path: first.path, received: 0, notes: [] });
    expect(harness.hub.seen.length).toBe(before + 1);
    expect(await harness.fetch(first.reference)).toMatchObject({ path: first.path });
    expect(harness.hub.seen.length).toBe(before + 1);
  });

  it('is one ONNX file where the reference names it', async () => {
    const harness = await Harness.start();
    const { path, reference, commit } = await harness.fetch('hf:tiny/model@main/onnx/model_q4.onnx');
    expect(path).toBe(join(harness.folder, 'snapshots', commit, 'onnx/model_q4.onnx'));
    expect(reference).toBe(`hf:tiny/model@${commit}/onnx/model_q4.onnx`);
    expect(existsSync(join(harness.folder, 'snapshots', commit, MODEL))).toBe(false);
    // The usual one is not there yet, and the cache does not pretend.
    expect((await harness.fetch()).path).toBe(join(harness.folder, 'snapshots', commit));
    expect(existsSync(join(harness.folder, 'snapshots', commit, MODEL))).toBe(true);
  });

  it('is the only ONNX file there is, and the cache does not take it for the preferred one', async () => {
    const { 'onnx/model.onnx': _, 'onnx/model_q4.onnx': q4, ...others } = REPO;
    const harness = await Harness.start({ ...others, 'onnx/odd.onnx': q4 });
    const { path, reference, commit } = await harness.fetch();
    expect(path).toBe(join(harness.folder, 'snapshots', commit, 'onnx/odd.onnx'));
    expect(reference).toBe(`hf:tiny/model@${commit}/onnx/odd.onnx`);
    harness.hub.seen.length = 0;
    // The file was chosen: no question. Not chosen yet: the listing decides, and nothing is downloaded again.
    expect((await harness.fetch(reference)).path).toBe(path);
    expect(harness.hub.seen).toEqual([]);
    expect((await harness.fetch(`hf:tiny/model@${commit}`)).path).toBe(path);
    expect(harness.hub.seen.length).toBeGreaterThan(0);
    expect(harness.hub.downloads).toEqual([]);
    expect((await harness.fetch(undefined, { isOffline: true })).notes).toEqual([expect.stringContaining(reference)]);
  });

  it('may have its configuration beside the ONNX file', async () => {
    const { 'config.json': config, ...others } = REPO;
    const harness = await Harness.start({ ...others, 'onnx/config.json': config });
    const { folder } = await harness.fetch();
    expect(existsSync(join(folder, 'onnx/config.json'))).toBe(true);
  });

  it('brings its external data, by the names that the graph has for them', async () => {
    const { onnx, data } = external();
    const files = { 'onnx/model.onnx': onnx, 'onnx/model.onnx_data': data[0], 'onnx/weights/more.bin': data[1] };
    const harness = await Harness.start({ ...REPO, ...files, 'onnx/model_q4.onnx_data': 'of another model' });
    const { path, progress } = await harness.fetch();
    expect(harness.hub.downloads).toEqual([...NEEDED, ...Object.keys(files)]);
    expect(progress.at(-1)!.bytes).toBe(progress.at(-1)!.size);
    const model = await LanguageModel.open(path);
    await (await model.suffix(0)).release();

    rmSync(join(path, 'onnx/weights/more.bin'));
    expect((await harness.fetch()).path).toBe(path);
    expect(existsSync(join(path, 'onnx/weights/more.bin'))).toBe(true);
  });

  it('follows a branch that moves, and downloads only what changed', async () => {
    const harness = await Harness.start();
    const before = await harness.fetch();
    const commit = harness.hub.publish('tiny/model', {
      ...REPO,
      'config.json': { ...(REPO['config.json'] as object), a: 1 },
    });
    harness.hub.seen.length = 0;
    const after = await harness.fetch();
    expect(after).toMatchObject({ commit, notes: [] });
    expect(harness.hub.downloads).toEqual(['config.json']);
    expect(readFileSync(join(harness.folder, 'refs/main'), 'utf8')).toBe(commit);
    expect(await harness.fetch(before.reference)).toMatchObject({ path: before.path });
  });

  it('is downloaded once by two at the same time', async () => {
    const harness = await Harness.start();
    const both = await Promise.all([harness.fetch(), harness.fetch()]);
    expect(both[0].path).toBe(both[1].path);
    expect(harness.hub.downloads).toEqual([...NEEDED, MODEL]);
    expect(both.flatMap(({ notes }) => notes)).toEqual([expect.stringMatching(/^waiting for another download/)]);
  });
});

describe('an interrupted download', () => {
  it('goes on where it stopped', async () => {
    const harness = await Harness.start();
    const controller = new AbortController();
    harness.hub.spoil = ({ server }, answer) => {
      if (server === 'storage') answer.stallAfter = HALF;
    };
    const stopped = harness.fetch('hf:tiny/model', {}, { signal: controller.signal });
    const kept = (): string[] => incomplete(harness).filter((path) => statSync(path).size > 0);
    void vi.waitUntil(() => kept().length > 0, { timeout: 10_000, interval: 5 }).then(() => controller.abort());
    await expect(stopped).rejects.toThrow(InterruptedError);
    await expect(stopped).rejects.toMatchObject({ exitCode: 130, hint: expect.stringMatching(/same command/) });
    expect(existsSync(join(harness.folder, 'refs'))).toBe(false);

    harness.hub.spoil = () => {};
    harness.hub.seen.length = 0;
    const { path, received } = await harness.fetch();
    const range = /^onnx\/model.onnx bytes=(\d+)-$/.exec(harness.hub.downloads.join());
    const start = Number(range?.[1]);
    expect(start).toBeGreaterThan(0);
    expect(received).toBe(ONNX.length - start);
    expect(readFileSync(join(path, MODEL))).toEqual(Buffer.from(ONNX));
    expect(incomplete(harness)).toEqual([]);
  });

  it('goes on by itself as long as there is progress, however often the connection breaks', async () => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ server }, answer) => {
      if (server === 'storage') answer.cutAfter = 400;
    };
    const { path, notes } = await harness.fetch();
    const cuts = Math.ceil(ONNX.length / 400) - 1;
    expect(cuts).toBeGreaterThan(5);
    expect(harness.hub.downloads.length).toBe(NEEDED.length + 1 + cuts);
    expect(harness.hub.downloads.at(-1)).toBe(`${MODEL} bytes=${400 * cuts}-`);
    expect(notes.length).toBe(cuts);
    expect(readFileSync(join(path, MODEL))).toEqual(Buffer.from(ONNX));
  });

  it('starts anew with a server that knows no ranges, and gives up if that never ends', async () => {
    const harness = await Harness.start();
    let cuts = 1;
    const wholeFiles =
      (body: Buffer) => (seen: { server: string }, answer: Parameters<typeof harness.hub.spoil>[1]) => {
        if (seen.server !== 'storage') return;
        Object.assign(answer, { status: 200, body });
        delete answer.headers['content-range'];
        if (cuts-- > 0) answer.cutAfter = HALF;
      };
    harness.hub.spoil = wholeFiles(Buffer.from(ONNX));
    const { path, received } = await harness.fetch();
    expect(readFileSync(join(path, MODEL))).toEqual(Buffer.from(ONNX));
    expect(received).toBeGreaterThan(ONNX.length);

    const other = await Harness.start();
    cuts = Infinity;
    other.hub.spoil = wholeFiles(Buffer.from(ONNX));
    expect(await other.failure()).toMatch(
      /cannot be reached: (it|the connection).*\n.*\n {2}try: .*goes on where it stopped/,
    );
  });

  it.each([
    ['refuses ranges', 416, undefined],
    ['sends another range', 206, `bytes 0-${ONNX.length - 1}/${ONNX.length}`],
    ['does not say which range it sends', 206, undefined],
  ])('starts anew with a server that %s', async (_, status, range) => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ server, headers }, answer) => {
      if (server !== 'storage') return;
      if (headers.range === undefined) {
        if (harness.hub.downloads.filter((name) => name.startsWith(MODEL)).length === 1) answer.cutAfter = HALF;
        return;
      }
      answer.status = status;
      delete answer.headers['content-range'];
      if (range) answer.headers['content-range'] = range;
    };
    const { path } = await harness.fetch();
    expect(readFileSync(join(path, MODEL))).toEqual(Buffer.from(ONNX));
  });

  it('does not believe what it finds: damaged bytes are downloaded again', async () => {
    const harness = await Harness.start();
    mkdirSync(join(harness.folder, 'blobs'), { recursive: true });
    const digest = createHash('sha256').update(ONNX).digest('hex');
    const part = join(harness.folder, 'blobs', `${digest}.saeforest.incomplete`);
    for (const [bytes, ranges] of [
      [Buffer.alloc(100), 1],
      [Buffer.alloc(ONNX.length + 1), 0],
      [Buffer.alloc(ONNX.length), 0],
      [Buffer.from(ONNX), undefined],
    ] as const) {
      rmSync(join(harness.folder, 'blobs', digest), { force: true });
      rmSync(join(harness.folder, 'snapshots'), { recursive: true, force: true });
      writeFileSync(part, bytes);
      harness.hub.seen.length = 0;
      const { path } = await harness.fetch();
      expect(readFileSync(join(path, MODEL))).toEqual(Buffer.from(ONNX));
      const asked = harness.hub.downloads.filter((name) => name.startsWith(MODEL));
      expect(asked.length).toBe(ranges === undefined ? 0 : ranges + 1);
      expect(asked.filter((name) => name.includes('bytes=')).length).toBe(ranges ?? 0);
    }
  });
});

describe('a damaged download', () => {
  it.each([
    ['other bytes', Buffer.alloc(ONNX.length, 7)],
    ['too many bytes', Buffer.concat([ONNX, ONNX])],
  ])('is deleted: %s', async (_, body) => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ server }, answer) => {
      if (server === 'storage') answer.body = body;
    };
    expect(await harness.failure()).toMatch(
      /^onnx\/model.onnx does not have the checksum .* deleted\n {2}in: .*\n {2}try: /,
    );
    expect(readdirSync(join(harness.folder, 'blobs')).filter((name) => name.length !== 40)).toEqual([]);
    harness.hub.spoil = () => {};
    await LanguageModel.open((await harness.fetch()).path);
  });

  it('of a small file is found too', async () => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ file }, answer) => {
      if (file === 'config.json') answer.body[0] = 0;
    };
    expect(await harness.failure()).toMatch(/^config.json does not have the checksum/);
  });

  it('is given up when it is always too short', async () => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ server }, answer) => {
      if (server === 'storage') answer.body = answer.status === 206 ? Buffer.of() : answer.body.subarray(0, HALF);
    };
    expect(await harness.failure()).toContain('cannot be reached: the connection was closed too early');
  });

  it('in the cache is replaced', async () => {
    const harness = await Harness.start();
    const { path } = await harness.fetch();
    const blob = join(path, MODEL);
    // Too short for a graph: found by itself. Other weights: found by lm fetch.
    for (const [bytes, isThorough] of [
      [ONNX.subarray(0, 100), false],
      [Buffer.from(ONNX).fill(3, ONNX.length - 40), true],
    ] as const) {
      writeFileSync(blob, bytes);
      await harness.fetch(undefined, { isThorough });
      expect(readFileSync(blob)).toEqual(Buffer.from(ONNX));
    }
  });

  it('by a listing that promises another size is not endless', async () => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ url }, answer) => {
      if (!url.pathname.includes('/tree/')) return;
      answer.body = Buffer.from(answer.body.toString().replaceAll(`"size":${ONNX.length}`, '"size":10'));
    };
    expect(await harness.failure()).toContain('does not have the checksum');
  });
});

describe('the Hub', () => {
  it.each([
    [429, 'too many requests'],
    [500, '500'],
    [503, '503'],
    [408, '408'],
  ])('is asked again after %i', async (status, words) => {
    const harness = await Harness.start();
    let failures = 2;
    harness.hub.spoil = (_, answer) => {
      if (failures-- > 0) Object.assign(answer, refusal(status, '', 'busy'));
    };
    const { notes } = await harness.fetch();
    expect(notes).toEqual([expect.stringContaining(words), expect.stringContaining('trying again in 0.001 s')]);
    harness.hub.spoil = (_, answer) => void Object.assign(answer, refusal(status, '', 'busy'));
    const cache = temporaryFolder();
    const text = await harness.failure(undefined, { cache });
    expect(text).toMatch(/^hf:tiny\/model is not in the cache, and http.* cannot be reached: it answers/);
    expect(text).toContain(`in: ${cache}`);
  });

  it('is given the time that it asks for', async () => {
    const harness = await Harness.start();
    let failures = 1;
    harness.hub.spoil = (_, answer) => {
      if (failures-- <= 0) return;
      Object.assign(answer, refusal(429, '', 'slow down'));
      answer.headers['retry-after'] = '1';
    };
    expect((await harness.fetch()).notes).toEqual([expect.stringContaining('trying again in 1 s')]);
  });

  it('that falls silent is given up', async () => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ url }, answer) => {
      if (url.pathname.includes('/tree/')) answer.stallAfter = 3;
    };
    const text = await harness.failure(undefined, { timeoutMs: 50 });
    expect(text).toMatch(/cannot be reached: nothing was received for 0.05 s\n {2}in: hf:tiny\/model\n/);
  });

  it('that cannot be reached: nothing cached, then the cache', async () => {
    const harness = await Harness.start();
    const gone = await Harness.start();
    gone.hub.stop();
    const nobody = { endpoint: gone.hub.endpoint };
    const text = await harness.failure(undefined, nobody);
    expect(text).toMatch(
      /^hf:tiny\/model is not in the cache, and .* cannot be reached: the connection failed \(ECONNREFUSED\)/,
    );
    expect(text).toMatch(/\n {2}in: .*models--tiny--model\n {2}try: check the network.*HF_ENDPOINT.*give its folder$/);
    const { path, reference } = await harness.fetch();
    const again = await harness.fetch(undefined, nobody);
    expect(again.path).toBe(path);
    expect(again.notes).toEqual([expect.stringMatching(`cannot be reached.*; using ${reference} from the cache`)]);
    // Another file of the same model is not there.
    expect(await harness.failure('hf:tiny/model/onnx/model_q4.onnx', nobody)).toContain('is not in the cache');
  });

  it('is not asked when offline', async () => {
    const harness = await Harness.start();
    const text = await harness.failure(undefined, { isOffline: true });
    expect(text).toMatch(/^hf:tiny\/model is not in the cache, and HF_HUB_OFFLINE is set/);
    const { path } = await harness.fetch();
    const before = harness.hub.seen.length;
    const again = await harness.fetch(undefined, { isOffline: true });
    expect(again.path).toBe(path);
    expect(again.notes).toEqual([
      expect.stringMatching(/^offline .*: using hf:tiny\/model@[0-9a-f]{40} from the cache$/),
    ]);
    expect(harness.hub.seen.length).toBe(before);
  });

  it('keeps serving the old commit offline until the new one is complete', async () => {
    const harness = await Harness.start();
    const { path } = await harness.fetch();
    harness.hub.publish('tiny/model', { ...REPO, 'onnx/model.onnx': Buffer.concat([ONNX, Buffer.of(0x3a, 0)]) });
    harness.hub.spoil = ({ server }, answer) => {
      if (server === 'storage') Object.assign(answer, refusal(500, '', 'broken'));
    };
    expect(await harness.failure()).toContain('it answers 500');
    expect((await harness.fetch(undefined, { isOffline: true })).path).toBe(path);
  });

  it('finds models that other tools have downloaded', async () => {
    const harness = await Harness.start();
    const { commit } = await harness.fetch(undefined, { cache: join(temporaryFolder(), 'elsewhere') });
    const snapshot = join(harness.folder, 'snapshots', commit);
    for (const [path, content] of Object.entries(REPO)) {
      mkdirSync(join(snapshot, path, '..'), { recursive: true });
      const isText = typeof content === 'string' || content instanceof Uint8Array;
      writeFileSync(join(snapshot, path), isText ? content : JSON.stringify(content));
    }
    harness.hub.seen.length = 0;
    expect(await harness.fetch()).toMatchObject({ path: snapshot, received: 0 });
    expect(harness.hub.downloads).toEqual([]);
    expect(readFileSync(join(harness.folder, 'refs/main'), 'utf8')).toBe(commit);
  });
});

describe('a refusal', () => {
  it.each([
    ['a model that is not there', 'hf:tiny/other', 'there is no model tiny/other at http', 'check the name'],
    ['a revision that is not there', 'hf:tiny/model@v9', 'tiny/model has no revision "v9"', 'see http'],
    [
      'a file that is not there',
      'hf:tiny/model/onnx/q2.onnx',
      'holds no file "onnx/q2.onnx"',
      'hf:tiny/model/onnx/model.onnx',
    ],
  ])('names %s', async (_, reference, message, hint) => {
    const harness = await Harness.start();
    const text = await harness.failure(reference);
    expect(text).toContain(message);
    expect(text).toContain(`in: ${reference}`);
    expect(text).toContain(`try: ${hint}`);
    expect(existsSync(join(harness.cache, 'models--tiny--other'))).toBe(false);
  });

  it.each([
    ['no token', undefined, 'accept the licence at http.*/tiny/model, then set HF_TOKEN'],
    ['a token without access', TOKEN, 'accept the licence at http.*/tiny/model with the account of the token'],
  ])('of a gated model says what to do: %s', async (_, token, hint) => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ file }, answer) => {
      if (file !== undefined)
        Object.assign(answer, refusal(token === undefined ? 401 : 403, 'GatedRepo', 'restricted'));
    };
    const text = await harness.failure(undefined, { token });
    expect(text).toMatch(/^access to tiny\/model has to be granted \(40[13]\)\n/);
    expect(text).toMatch(new RegExp(hint));
  });

  it('of a private model depends on the token', async () => {
    const harness = await Harness.start();
    expect(await harness.failure('hf:tiny/other')).toMatch(/that the token .* is valid/);
    expect(await harness.failure('hf:tiny/other', { token: undefined })).toContain('for a private model set HF_TOKEN');
  });

  it('of another kind is passed on', async () => {
    const harness = await Harness.start();
    harness.hub.spoil = (_, answer) => void Object.assign(answer, refusal(451, '', 'law'));
    expect(await harness.failure()).toContain('refuses the request (451)');
  });

  it('by a login page is not taken for an answer', async () => {
    const harness = await Harness.start();
    for (const body of ['<html>log in</html>', '{}', '{"sha":"../../x","lastModified":""}']) {
      harness.hub.spoil = (_, answer) => void (answer.body = Buffer.from(body));
      expect(await harness.failure()).toMatch(/does not answer as the Hub does\n.*\n {2}try: check HF_ENDPOINT/);
    }
  });

  it.each(['../../evil.json', '/etc/evil', 'a/../../evil', 'C:\\evil', '\\\\host\\evil', 'a\u001bb'])(
    'of a listing with the path %j',
    async (path) => {
      const harness = await Harness.start({ ...REPO, [path]: 'evil' });
      expect(await harness.failure()).toMatch(/^the repository lists a file whose name leads out of its folder: "/);
      expect(harness.hub.downloads).toEqual([]);
    },
  );

  it('of a listing with a digest that is a path', async () => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ url }, answer) => {
      if (!url.pathname.includes('/tree/')) return;
      answer.body = Buffer.from(answer.body.toString().replaceAll(/"oid":"[0-9a-f]{3}/g, '"oid":"../'));
    };
    expect(await harness.failure()).toContain('does not answer as the Hub does');
  });

  it('of external data outside the repository, or that it lacks', async () => {
    const { onnx, data } = external();
    const harness = await Harness.start({ ...REPO, 'onnx/model.onnx': onnx, 'onnx/model.onnx_data': data[0] });
    expect(await harness.failure()).toMatch(/^onnx\/model.onnx keeps weights in "onnx\/weights\/more.bin", which/);
    const outside = Buffer.from(onnx.map((byte) => byte));
    outside.write('../../../x/y.bin', outside.indexOf('weights/more.bin'));
    harness.hub.publish('tiny/model', { ...REPO, 'onnx/model.onnx': outside, 'onnx/model.onnx_data': data[0] });
    expect(await harness.failure()).toContain('keeps weights in "../../x/y.bin", which');
  });

  it('of a repository without an ONNX model lists what there is', async () => {
    const { 'onnx/model.onnx': _, 'onnx/model_q4.onnx': q4, ...others } = REPO;
    const harness = await Harness.start(others);
    const text = await harness.failure();
    expect(text).toMatch(/^tiny\/model holds no ONNX model, only .gitattributes, README.md, config.json, /);
    expect(text).toMatch(/try: .*hf:onnx-community\/model-ONNX, .*optimum-cli export onnx --model tiny\/model/);
    harness.hub.publish('tiny/model', { ...others, 'onnx/odd_1.onnx': q4, 'odd_2.onnx': q4 });
    expect(await harness.failure()).toMatch(
      /^tiny\/model holds 2 ONNX files, none under a usual name\n.*\n {2}try: hf:tiny\/model\/onnx\/odd_1.onnx, hf:tiny\/model\/odd_2.onnx$/,
    );
    expect(harness.hub.downloads).toEqual([]);
  });

  it('of a model without tokenizer comes before the download', async () => {
    const { 'tokenizer.json': _, ...others } = REPO;
    const harness = await Harness.start(others);
    expect(await harness.failure()).toMatch(/^tiny\/model holds an ONNX model, but no tokenizer.json\n/);
    expect(harness.hub.downloads).toEqual([]);
  });

  it('of a download that the disk has no room for', async () => {
    const harness = await Harness.start();
    harness.hub.spoil = ({ url }, answer) => {
      if (!url.pathname.includes('/tree/')) return;
      answer.body = Buffer.from(answer.body.toString().replaceAll(`"size":${ONNX.length}`, '"size":9e15'));
    };
    expect(await harness.failure()).toMatch(
      /^the model needs 9000000.00 GB, and .* are free\n.*\n {2}try: free some space/,
    );
    expect(harness.hub.downloads).toEqual([]);
  });

  it('of a cache that cannot be written', async () => {
    const harness = await Harness.start();
    writeFileSync(harness.cache, 'a file');
    expect(await harness.failure()).toMatch(/^cannot write here \(/);
  });
});

describe('resolveModel', () => {
  it('returns a local path as it is', async () => {
    expect(await resolveModel('models/tiny')).toEqual({ path: 'models/tiny', reference: 'models/tiny' });
  });

  it('fetches a reference, as the environment says', async () => {
    const harness = await Harness.start();
    vi.stubEnv('HF_ENDPOINT', harness.hub.endpoint);
    vi.stubEnv('HF_HUB_CACHE', harness.cache);
    vi.stubEnv('HF_TOKEN', TOKEN);
    try {
      const { path, reference } = await resolveModel('hf:tiny/model');
      expect(reference).toMatch(/^hf:tiny\/model@[0-9a-f]{40}$/);
      expect((await LanguageModel.open(path)).info.layers).toBe(2);
      await expect(resolveModel('hf:tiny')).rejects.toThrow(UsageError);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
