import { describeOrigin, type Graph, QfuseError } from '@qfuse/plugin';
import { type Frame, makeFrame, planActivations } from './frame.js';
import type { MemoryPlan } from './memory-plan.js';
import { constantBytes, type Schedule, sizesFor, type Storage, symbolsOf } from './schedule.js';
import type { WebGPUTarget } from './target.js';

/** One dispatch of a plan. */
export interface PlannedDispatch {
  readonly kernel: string;
  readonly dispatch: string;
  readonly op: string;
  readonly node: string;
  /** Workgroups; undefined when sizes are not known. */
  readonly grid: readonly [number, number] | undefined;
  /** Names of what it reads and writes; activations as `arena+offset`. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** What a program will do and need, as data. */
export interface ProgramPlan {
  readonly graph: string;
  readonly target: string;
  /** The values of the symbols for which sizes are given. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly dispatches: readonly PlannedDispatch[];
  /** Number of different shaders. */
  readonly shaders: number;
  readonly constantBytes: number;
  readonly stateBytes: number;
  readonly inputBytes: number;
  /** Bytes of each activation arena. */
  readonly arenas: readonly number[];
  /** Most bytes of activations that are alive at once: no plan needs less. */
  readonly lowerBound: number;
}

/** @internal */
export function summarize(
  schedule: Schedule,
  target: WebGPUTarget,
  frame: Frame | undefined,
  memory: MemoryPlan | undefined,
  shaders: number,
  symbols: ReadonlyMap<string, number> = new Map(),
): ProgramPlan {
  const bytes = frame?.bytes ?? schedule.storages.map(() => 0);
  const activations = planActivations(schedule, bytes, target);
  const plan = memory ?? activations.plan;
  const places = new Map(activations.storages.map((storage, i) => [storage, plan.placements[i]!]));
  const name = (s: Storage): string => {
    const place = places.get(s.index);
    return place === undefined ? s.name : `a${place.arena}+${place.offset}`;
  };
  const sum = (kind: Storage['kind'], of: (s: Storage) => number): number =>
    schedule.storages.reduce((total, s) => total + (s.kind === kind ? of(s) : 0), 0);
  return {
    graph: schedule.graph.name,
    target: target.name,
    sizes: Object.fromEntries(symbols),
    dispatches: schedule.steps.map(({ lowered, dispatch, storages }, i) => ({
      kernel: lowered.kernel,
      dispatch: dispatch.label,
      op: lowered.node.op.name,
      node: describeOrigin(lowered.node.origin),
      grid: frame?.grids[i],
      reads: storages.filter((_, k) => dispatch.bindings[k]!.access === 'read').map(name),
      writes: storages.filter((_, k) => dispatch.bindings[k]!.access === 'read_write').map(name),
    })),
    shaders,
    constantBytes: sum('constant', (s) => constantBytes(s.constant!)),
    stateBytes: sum('state', (s) => constantBytes(s.constant!)),
    inputBytes: sum('input', (s) => bytes[s.index]!),
    arenas: frame === undefined ? [] : plan.arenas,
    lowerBound: frame === undefined ? 0 : plan.lowerBound,
  };
}

/**
 * Plans a schedule without a device, for given sizes of the symbols (those left out get the smallest size above 0
 * that the graph allows).
 * @throws QfuseError `webgpu/symbol` for a name that is not a symbol of the graph, `ir/dim-range` for a size that is not allowed
 */
export function planSchedule(schedule: Schedule, target: WebGPUTarget, given: Readonly<Record<string, number>> = {}): ProgramPlan {
  const symbols = chooseSizes(schedule.graph, given);
  const frame = makeFrame(schedule, sizesFor(symbols), target);
  const shaders = new Set(schedule.steps.map((s) => s.dispatch.code)).size;
  return summarize(schedule, target, frame, undefined, shaders, symbols);
}

function chooseSizes(graph: Graph, given: Readonly<Record<string, number>>): Map<string, number> {
  const names = symbolsOf(graph);
  for (const name of Object.keys(given))
    if (!names.has(name))
      throw new QfuseError(
        'webgpu/symbol',
        `"${name}" is not a symbolic dim of "${graph.name}"; it has ${[...names].join(', ') || 'none'}`,
      );
  return new Map(
    [...names].map((name) => {
      const { min, divisor } = graph.env.fact(name);
      const size = given[name] ?? Math.ceil(Math.max(min, 1) / divisor) * divisor;
      graph.env.check(name, size, 'plan');
      return [name, size];
    }),
  );
}

const bytesText = (n: number): string =>
  n < 10240 ? `${n} B` : n < 10 * 1024 * 1024 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1024 / 1024).toFixed(1)} MiB`;

/** A plan as text for people. */
export function describePlan(plan: ProgramPlan): string {
  const sizes = Object.entries(plan.sizes).map(([name, size]) => `${name} = ${size}`);
  const arenas = plan.arenas.reduce((a, b) => a + b, 0);
  const running = plan.dispatches.filter((d) => d.grid === undefined || d.grid[0] > 0).length;
  const lines = [
    `program ${plan.graph} for ${plan.target}${sizes.length === 0 ? '' : `, planned for ${sizes.join(', ')}`}`,
    `${plan.dispatches.length} dispatches (${running} at these sizes), ${plan.shaders} shaders`,
    `constants ${bytesText(plan.constantBytes)}, state ${bytesText(plan.stateBytes)}, inputs ${bytesText(plan.inputBytes)}`,
    `activations ${bytesText(arenas)} in ${plan.arenas.length} arenas, at least ${bytesText(plan.lowerBound)} needed${plan.lowerBound === 0 ? '' : ` (${(arenas / plan.lowerBound).toFixed(2)}×)`}`,
    '',
  ];
  const rows = plan.dispatches.map((d, i) => {
    const grid = d.grid === undefined ? '?' : d.grid[0] === 0 ? 'skipped' : d.grid[1] === 1 ? `${d.grid[0]}` : `${d.grid[0]}×${d.grid[1]}`;
    return [`${i}`, d.op, `${d.kernel} (${d.dispatch})`, grid, `${d.reads.join(' ')} -> ${d.writes.join(' ')}`, d.node];
  });
  const header = ['#', 'op', 'kernel', 'groups', 'memory', 'node'];
  const widths = header.map((h, c) => Math.max(h.length, ...rows.map((r) => r[c]!.length)));
  for (const row of [header, ...rows]) lines.push(row.map((cell, c) => (c === row.length - 1 ? cell : cell.padEnd(widths[c]!))).join('  '));
  return `${lines.join('\n')}\n`;
}
