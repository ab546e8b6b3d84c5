import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Interner } from './intern.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** Weak references hold what they gave until the current job ends. */
const nextJob = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe('an interner', () => {
  it('makes one object for a key', () => {
    const interner = new Interner<{ readonly n: number }>();
    let made = 0;
    const get = (key: string) => interner.get(key, () => Object.freeze({ n: made++ }));
    const a = get('a');
    expect([get('a') === a, get('b') === a, made, interner.size]).toEqual([true, false, 2, 2]);
  });

  it('lets go what nobody uses, and keeps what somebody does', async () => {
    const interner = new Interner<{ readonly key: string }>();
    const make = (key: string) => interner.get(key, () => Object.freeze({ key }));
    const kept = Array.from({ length: 100 }, (_, i) => make(`kept ${i}`));
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 500; i++) make(`${round} ${i}`);
      await nextJob();
      collectGarbage();
    }
    expect(interner.size).toBeLessThan(4000);
    kept.forEach((k, i) => expect(make(`kept ${i}`)).toBe(k));
  });
});
