import { expect, it } from 'vitest';
import { Tape } from '../../../src/engine/tape.ts';
import { DeadLatents } from '../../../src/sae/parts/dead-latents.ts';
import { onEveryDevice } from '../../engine/devices.ts';

onEveryDevice((bench) => {
  it('counts rows since selection, also of value 0, and changes state on commit only', async () => {
    bench.begin();
    const { device } = bench;
    const counter = device.persistent('f32', 5);
    device.write(counter, [0, 8, 9, 20, 7]);
    const dead = new DeadLatents(counter, 10);
    const codes = bench.fixedCodes([[{ latent: 0, value: 2 }], [{ latent: 3, value: 0 }]], 5);
    const tape = new Tape(device);
    dead.observe(tape, codes);
    const { list, count } = dead.list(tape);
    const oldest = dead.oldest(tape);
    // Latent 3 is selected: the batch at hand counts before anybody is called dead.
    expect((await bench.read(count, 'u32'))[0]).toBe(2);
    expect([...(await bench.read(list, 'u32'))].slice(0, 2)).toEqual([1, 2]);
    expect(await bench.read(oldest, 'f64')).toEqual(Float64Array.of(11));
    expect([...(await bench.read(counter, 'f32'))]).toEqual([0, 8, 9, 20, 7]);
    expect(await dead.fraction({ device })).toBe(0.2);
    dead.commit(tape);
    expect([...(await bench.read(counter, 'f32'))]).toEqual([0, 10, 11, 0, 9]);
    expect(await dead.fraction({ device })).toBe(0.4);
  });
});
