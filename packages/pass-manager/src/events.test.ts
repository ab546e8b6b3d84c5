import type TypedEmitter from 'typed-emitter';
import { expect, test } from 'vitest';
import { type CompilerEvents, createEmitter, type Emitter } from './events.js';

type Events = { tick: (n: number) => void; tock: (n: number) => void };

test('listeners hear their event in order of arrival until they leave', () => {
  const emitter = createEmitter<Events>();
  const heard: string[] = [];
  const first = (n: number) => void heard.push(`first ${n}`);
  emitter.on('tick', first).on('tick', (n) => void heard.push(`second ${n}`));
  expect(emitter.emit('tick', 1)).toBe(true);
  expect(emitter.emit('tock', 2)).toBe(false);
  emitter.off('tick', first).emit('tick', 3);
  expect(heard).toEqual(['first 1', 'second 1', 'second 3']);
});

test('a listener for once hears one event', () => {
  const emitter = createEmitter<Events>();
  const heard: number[] = [];
  emitter.once('tick', (n) => void heard.push(n));
  emitter.emit('tick', 1);
  emitter.emit('tick', 2);
  expect(heard).toEqual([1]);
  expect(emitter.listenerCount('tick')).toBe(0);
});

test('a listener that throws is removed, reported, and stops nobody', () => {
  const errors: unknown[] = [];
  const emitter = createEmitter<Events>((name, error) => void errors.push([name, String(error)]));
  const heard: number[] = [];
  emitter.on('tick', () => {
    throw new Error('broken');
  });
  emitter.on('tick', (n) => void heard.push(n));
  emitter.emit('tick', 1);
  emitter.emit('tick', 2);
  expect(heard).toEqual([1, 2]);
  expect(errors).toEqual([['tick', 'Error: broken']]);
});

test('listeners are counted and removed by event or all at once', () => {
  const emitter = createEmitter<Events>();
  const listener = () => {};
  emitter.on('tick', listener).on('tick', listener).on('tock', listener);
  expect(emitter.listenerCount('tick')).toBe(1);
  emitter.removeAllListeners('tick');
  expect([emitter.listenerCount('tick'), emitter.listenerCount('tock')]).toEqual([0, 1]);
  emitter.removeAllListeners();
  expect(emitter.listenerCount('tock')).toBe(0);
});

test('an emitter of typed-emitter is one of ours, and wrong events do not compile', () => {
  const accept = (typed: TypedEmitter<CompilerEvents>): Emitter<CompilerEvents> => typed;
  expect(accept).toBeTypeOf('function');
  const emitter = createEmitter<Events>();
  // @ts-expect-error there is no such event
  emitter.emit('tack', 1);
  // @ts-expect-error the event is a number
  emitter.emit('tick', 'one');
});
