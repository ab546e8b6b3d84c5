import { defineOp, definePlugin, tensor } from '@qfuse/plugin';
import { testPass } from '@qfuse/testing';
import dce from './index.js';

/** Stands for a random source: it stays, though nothing reads it. */
const noise = defineOp({
  name: 'toy.noise',
  summary: 'an op that must not be removed',
  operands: { self: tensor() },
  pure: false,
  infer: ({ operands: { self } }) => [self],
  reference: ({ operands: { self } }) => [self],
});

testPass(import.meta.url, dce(), { with: definePlugin({ name: 'toy', version: '0.0.0', api: 1, ops: [noise] }) });
