const rotate = (x: number, r: number): number => (x << r) | (x >>> (32 - r));
const mix = (h: number): number => {
  let x = h;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
};
const hex = (x: number): string => (x >>> 0).toString(16).padStart(8, '0');

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

/** 32 bits of hash over the characters of a text (FNV-1a, Fowler, Noll and Vo), for tables in memory. */
export function textHash(text: string, seed: number): number {
  let h = seed ^ text.length;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  // The low bits, which tables use, depend on the low bits of the characters only.
  return mix(h);
}

/**
 * 128 bits of content hash as 32 hex digits, over a label and bytes: MurmurHash3 x86_128 (Austin Appleby, public
 * domain). It tells different data apart and is no protection against forged data; files carry SHA-256 for that.
 */
export function contentKey(label: string, bytes: Uint8Array): string {
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  for (let i = 0; i < label.length; i++) h1 = Math.imul(h1 ^ label.charCodeAt(i), 0x01000193);
  h2 = h1 ^ 0x9e3779b9;
  h3 = h2 ^ 0x7f4a7c15;
  h4 = h3 ^ 0x94d049bb;
  const { byteOffset, byteLength } = bytes;
  const blocks = byteLength >>> 4;
  // A copy: `slice` of Node's Buffer would share its memory.
  const aligned = byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, blocks * 4);
  const step = (k1: number, k2: number, k3: number, k4: number): void => {
    h1 ^= Math.imul(rotate(Math.imul(k1, C1), 15), C2);
    h1 = (Math.imul(rotate(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotate(Math.imul(k2, C2), 16), C3);
    h2 = (Math.imul(rotate(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotate(Math.imul(k3, C3), 17), C4);
    h3 = (Math.imul(rotate(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotate(Math.imul(k4, C4), 18), C1);
    h4 = (Math.imul(rotate(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  };
  for (let i = 0; i < words.length; i += 4) step(words[i]!, words[i + 1]!, words[i + 2]!, words[i + 3]!);
  if (blocks * 16 < byteLength) {
    const tail = new Uint8Array(16);
    tail.set(aligned.subarray(blocks * 16, byteLength));
    const last = new Int32Array(tail.buffer);
    step(last[0]!, last[1]!, last[2]!, last[3]!);
  }
  h1 ^= byteLength;
  h2 ^= byteLength;
  h3 ^= byteLength;
  h4 ^= byteLength;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = mix(h1);
  h2 = mix(h2);
  h3 = mix(h3);
  h4 = mix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  return hex(h1) + hex((h2 + h1) | 0) + hex((h3 + h1) | 0) + hex((h4 + h1) | 0);
}
