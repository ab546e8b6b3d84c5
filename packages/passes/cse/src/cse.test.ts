import { defineOp, definePlugin, tensor } from '@qfuse/plugin';
import { testPass } from '@qfuse/testing';
import cse from './index.js';

/** Stands for a random source: two of them are not one, though here both return their operand. */
const noise = defineOp({
  name: 'toy.noise',
  summary: 'an op that must not be merged',
  operands: { self: tensor() },
  pure: false,
  infer: ({ operands: { self } }) => [self],
  reference: ({ operands: { self } }) => [self],
});

testPass(import.meta.url, cse(), { with: definePlugin({ name: 'toy', version: '0.0.0', api: 1, ops: [noise] }) });
