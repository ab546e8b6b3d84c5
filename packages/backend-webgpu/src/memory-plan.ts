/** A tensor that needs device memory from step `first` to step `last`, both included. */
export interface MemoryItem {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  /** Items (by index) that must lie in other buffers: one dispatch reads one of the two and writes the other. */
  readonly apart: ReadonlySet<number>;
}

/** Where an item lies. */
export interface Placement {
  readonly arena: number;
  readonly offset: number;
}

/** A plan: a place for each item, the size of each arena, and how good it is. */
export interface MemoryPlan {
  readonly placements: readonly Placement[];
  readonly arenas: readonly number[];
  /** Sum of the arenas. */
  readonly peakBytes: number;
  /** The most bytes that are alive at one step: no plan can do with less. */
  readonly lowerBound: number;
}

const align = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/**
 * Places items into arenas: largest first, each at the place that makes the arenas grow least. WebGPU forbids one
 * buffer to be read and written in one dispatch even in disjoint ranges, so items that are `apart` go to different
 * arenas; items of one arena that are alive together do not overlap.
 * @param alignment - of offsets, in bytes
 * @param maxArena - an arena does not grow beyond this, unless one item alone does
 */
export function planMemory(items: readonly MemoryItem[], alignment = 256, maxArena = Number.POSITIVE_INFINITY): MemoryPlan {
  const order = items.map((_, i) => i).sort((a, b) => items[b]!.bytes - items[a]!.bytes || items[a]!.first - items[b]!.first || a - b);
  const arenas: { size: number; placed: number[] }[] = [];
  const placements = new Array<Placement>(items.length);
  for (const i of order) {
    const item = items[i]!;
    let best: { arena: number; offset: number; growth: number } | undefined;
    arenas.forEach((arena, a) => {
      if (arena.placed.some((other) => item.apart.has(other) || items[other]!.apart.has(i))) return;
      const offset = findGap(item, arena.placed, items, placements, alignment);
      const end = align(offset + item.bytes, alignment);
      if (end > maxArena && end > arena.size) return;
      const growth = Math.max(0, end - arena.size);
      if (best === undefined || growth < best.growth) best = { arena: a, offset, growth };
    });
    best ??= { arena: arenas.push({ size: 0, placed: [] }) - 1, offset: 0, growth: item.bytes };
    const arena = arenas[best.arena]!;
    arena.placed.push(i);
    arena.size = Math.max(arena.size, align(best.offset + item.bytes, alignment));
    placements[i] = { arena: best.arena, offset: best.offset };
  }
  const sizes = arenas.map((a) => a.size);
  return { placements, arenas: sizes, peakBytes: sizes.reduce((a, b) => a + b, 0), lowerBound: liveBytes(items, alignment) };
}

/** The smallest gap, else the end, between the placed items that are alive together with `item`. */
function findGap(
  item: MemoryItem,
  placed: readonly number[],
  items: readonly MemoryItem[],
  placements: readonly Placement[],
  alignment: number,
): number {
  const busy = placed
    .filter((other) => items[other]!.first <= item.last && item.first <= items[other]!.last)
    .map((other) => [placements[other]!.offset, align(placements[other]!.offset + items[other]!.bytes, alignment)] as const)
    .sort((a, b) => a[0] - b[0]);
  let at = 0;
  let gap: { offset: number; size: number } | undefined;
  for (const [start, end] of busy) {
    if (start - at >= item.bytes && (gap === undefined || start - at < gap.size)) gap = { offset: at, size: start - at };
    at = Math.max(at, end);
  }
  return gap?.offset ?? at;
}

function liveBytes(items: readonly MemoryItem[], alignment: number): number {
  const changes = new Map<number, number>();
  const add = (step: number, bytes: number): void => void changes.set(step, (changes.get(step) ?? 0) + bytes);
  for (const { bytes, first, last } of items) {
    add(first, align(bytes, alignment));
    if (Number.isFinite(last)) add(last + 1, -align(bytes, alignment));
  }
  let live = 0;
  let most = 0;
  for (const [, change] of [...changes].sort(([a], [b]) => a - b)) most = Math.max(most, (live += change));
  return most;
}
