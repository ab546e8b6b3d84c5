import type { HostTensor } from '@qfuse/plugin';

/** Describes the first element that is not the same number; undefined when there is none. NaNs are equal, 0 and -0 are. */
export function differingBits(actual: HostTensor, expected: HostTensor): string | undefined {
  if (actual.dtype !== expected.dtype || actual.shape.join() !== expected.shape.join())
    return `is ${actual.dtype}[${actual.shape.join()}], expected ${expected.dtype}[${expected.shape.join()}]`;
  for (let i = 0; i < expected.data.length; i++) {
    const [a, e] = [actual.data[i]!, expected.data[i]!];
    if (a !== e && !(Number.isNaN(a) && Number.isNaN(e))) return `element ${i} is ${a}, expected ${e}`;
  }
  return undefined;
}
