/// <reference types="@webgpu/types" preserve="true" />
/**
 * The same package for TypeScript before 6, whose library of the DOM has no WebGPU; with `@webgpu/types` later ones would have it twice.
 * @packageDocumentation
 */
export * from './index.js';
