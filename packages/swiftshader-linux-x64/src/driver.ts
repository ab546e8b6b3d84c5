// Written by tools/make-swiftshader-package.mjs; do not edit.

/** What the driver is: `origin` is the npm package it was taken from, `bytes` and `sha256` are of the unpacked library. */
export const driver = {
  file: 'libvk_swiftshader.so',
  origin: '@sparticuz/chromium@147.0.0',
  bytes: 6026040,
  sha256: '5b9e8591c7c2d1c9618c3ad485d0cdffb81f5f1ffd6a982fdb6578c2d8d3213e',
} as const;
