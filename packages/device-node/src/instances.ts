import type { Dawn } from './dawn.js';

/**
 * The objects that Dawn's `create()` returned, by copy of Dawn and flags. The only state of this package, and there for
 * one reason: everything made from such an object points into it without keeping it alive. When it is collected while a
 * device, a buffer or a queue is still in use, even one of a device destroyed before, the process dies (use after free).
 * Whether such an object is still in use cannot be known, so they live as long as the process or worker thread.
 * They are shared, so that their number is that of the different options asked for, not of devices; each is a few KB.
 */
const instances = new Map<string, GPU>();

/** Objects that are no longer given out, but see above. */
const retired = new Set<GPU>();

/** Gives the one `GPU` object of a copy of Dawn and its flags. */
export function gpuOf(dawn: Dawn, flags: readonly string[]): GPU {
  const key = [dawn.folder, ...flags].join('\n');
  let gpu = instances.get(key);
  if (!gpu) instances.set(key, (gpu = dawn.create(flags)));
  return gpu;
}

/** Lets the next request start over with a new connection to the driver, after a device of this object failed. */
export function retire(gpu: GPU): void {
  for (const [key, value] of instances) {
    if (value !== gpu) continue;
    instances.delete(key);
    retired.add(gpu);
  }
}
