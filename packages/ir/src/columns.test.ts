import fc from 'fast-check';
import { expect, test } from 'vitest';
import { grown, SharedColumn } from './columns.js';

test('a longer array has the old entries and zeros', () => {
  const short = Int32Array.of(1, 2, 3);
  expect(grown(short, 3)).toBe(short);
  expect([...grown(short, 4)]).toEqual([1, 2, 3, 0, 0, 0]);
  expect([...grown(short, 9)]).toEqual([1, 2, 3, 0, 0, 0, 0, 0, 0]);
});

test('a shared column is an array of few objects', () => {
  const objects = Array.from({ length: 5 }, (_, i) => ({ i }));
  const writes = fc.array(fc.tuple(fc.nat(300), fc.nat(objects.length - 1)), { maxLength: 400 });
  fc.assert(
    fc.property(writes, writes, (before, after) => {
      const column = new SharedColumn<{ readonly i: number }>();
      const model: { readonly i: number }[] = [];
      for (const [id, i] of before) column.set(id, (model[id] = objects[i]!));
      const copy = column.copy(model.length);
      const saved = model.slice();
      for (const [id, i] of after) column.set(id, (model[id] = objects[i]!));
      model.forEach((object, id) => expect(column.get(id)).toBe(object));
      // The copy does not see later writes, and can be written to itself.
      saved.forEach((object, id) => expect(copy.get(id)).toBe(object));
      for (const [id, i] of after) copy.set(id, (saved[id] = objects[i]!));
      saved.forEach((object, id) => expect(copy.get(id)).toBe(object));
    }),
  );
});
