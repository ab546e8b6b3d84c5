import { QfuseError } from '@qfuse/ir';
import { adapterNames, findAdapter, normalizeName, type FoundAdapter } from './adapters.js';
import { loadNativeDawn, loadSwiftShaderDawn, messageOf, type Dawn } from './dawn.js';
import { findVulkanLoader, mayHaveGpu } from './platform.js';
import { swiftShaderRunsHere } from './swiftshader.js';
import type { AdapterRecord, DeviceOptions } from './types.js';

/** An adapter, or why there is none. */
type Attempt = FoundAdapter | { readonly why: string };

/**
 * Finds the adapter that the options ask for.
 *
 * @throws QfuseError `device-node/no-adapter` with everything that was tried, `device-node/unknown-adapter` with the names
 *   that there are, or one of those of `loadNativeDawn` and `loadSwiftShaderDawn`
 */
export async function selectAdapter(options: DeviceOptions): Promise<FoundAdapter> {
  if (options.backend === 'null') return nullAdapter(options);
  const wanted = options.adapter ?? 'auto';
  if (wanted === 'native') return oneOf(wanted, [await native(options)]);
  if (wanted === 'software') return oneOf(wanted, [await software(options)]);
  if (wanted !== 'auto') return byName(wanted, options);

  const first: Attempt = mayHaveGpu() ? await native(options) : { why: 'native: this machine has no GPU device' };
  if (isFound(first) && !first.record.isSoftware) return first;
  // The embedded driver gives the same numbers on every machine; one that happens to be installed does not.
  const second = await software(options).catch((error: unknown): Attempt => {
    if (isFound(first)) return { why: messageOf(error) };
    throw error;
  });
  return oneOf(wanted, [second, first]);
}

/**
 * All adapters that `requestDevice` can use, the machine's own first. Loads the drivers of all.
 *
 * @throws QfuseError when Dawn itself cannot be loaded
 */
export async function listAdapters(): Promise<AdapterRecord[]> {
  const { candidates } = await allCandidates({});
  const records = new Map<string, AdapterRecord>();
  for (const { dawn, origin, name } of candidates) {
    const record = (await findAdapter(dawn, origin, {}, name).catch(() => undefined))?.record;
    if (record) records.set(`${origin} ${record.name}`, record);
  }
  return [...records.values()];
}

async function nullAdapter(options: DeviceOptions): Promise<FoundAdapter> {
  const found = await findAdapter(await loadNativeDawn(), 'null', options);
  if (!found) throw new QfuseError('device-node/no-adapter', "Dawn's null backend offers no adapter");
  return found;
}

async function native(options: DeviceOptions, request?: GPURequestAdapterOptions): Promise<Attempt> {
  const dawn = await loadNativeDawn();
  const why = missingLoader(dawn);
  if (why) return { why };
  try {
    const found = await findAdapter(dawn, 'native', options, undefined, request);
    return found ?? { why: 'native: no driver offers an adapter that WebGPU can use' };
  } catch (error) {
    if (error instanceof QfuseError) throw error;
    return { why: `native: ${messageOf(error)}` };
  }
}

async function software(options: DeviceOptions): Promise<Attempt> {
  if (swiftShaderRunsHere()) {
    const found = await findAdapter(await loadSwiftShaderDawn(), 'swiftshader', options);
    // When the embedded driver does not load, Dawn goes on to look for another one, which may be a GPU's.
    if (found?.record.isSoftware) return found;
    return { why: 'software: the embedded SwiftShader was not accepted as a Vulkan driver' };
  }
  const found = await native(options, { forceFallbackAdapter: true });
  if (isFound(found) && found.record.isSoftware) return found;
  return { why: `software: SwiftShader is embedded for linux-x64 only, and this machine has no driver for the CPU` };
}

interface Candidate {
  readonly dawn: Dawn;
  readonly origin: 'native' | 'swiftshader';
  /** As the driver spells it. */
  readonly name: string;
}

async function allCandidates(options: DeviceOptions): Promise<{ candidates: Candidate[]; notes: string[] }> {
  const candidates: Candidate[] = [];
  const notes: string[] = [];
  const machine = await loadNativeDawn();
  const why = missingLoader(machine);
  if (why) notes.push(why);
  else for (const name of await adapterNames(machine, options)) candidates.push({ dawn: machine, origin: 'native', name });
  if (swiftShaderRunsHere()) {
    try {
      const dawn = await loadSwiftShaderDawn();
      for (const name of await adapterNames(dawn, options)) candidates.push({ dawn, origin: 'swiftshader', name });
    } catch (error) {
      notes.push(messageOf(error));
    }
  }
  return { candidates, notes };
}

async function byName(wanted: string, options: DeviceOptions): Promise<FoundAdapter> {
  const query = normalizeName(wanted);
  const { candidates, notes } = await allCandidates(options);
  // The shortest match first: a name in full must not lose to a longer one that contains it.
  const matches = candidates
    .filter(({ name }) => query !== '' && normalizeName(name).includes(query))
    .sort((a, b) => a.name.length - b.name.length);
  for (const { dawn, origin, name } of matches) {
    const found = await findAdapter(dawn, origin, options, name);
    if (found) return found;
  }
  if (matches.length)
    throw new QfuseError(
      'device-node/no-adapter',
      `WebGPU cannot use an adapter named "${wanted}", though there is: ${matches.map(({ name }) => name).join(', ')}`,
      { help: 'Its name may be part of another one\'s: give all of it. Or use "auto", "software" or "native".' },
    );
  const names = candidates.map(({ name, origin }) => `${normalizeName(name)} (${origin})`);
  throw new QfuseError(
    'device-node/unknown-adapter',
    `No adapter's name contains "${wanted}"; there are: ${names.join(', ') || 'none'}${notes.map((note) => `\n  ${note}`).join('')}`,
    { help: 'Give a part of one of these names, or "auto", "software" or "native".' },
  );
}

function missingLoader(dawn: Dawn): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const loader = findVulkanLoader(dawn.folder);
  return loader.ok ? undefined : `native: no Vulkan loader: ${loader.detail}`;
}

function oneOf(wanted: string, attempts: readonly Attempt[]): FoundAdapter {
  const found = attempts.find(isFound);
  if (found) return found;
  const reasons = attempts.flatMap((attempt) => (isFound(attempt) ? [] : [attempt.why]));
  throw new QfuseError('device-node/no-adapter', `There is no WebGPU adapter for "${wanted}": ${reasons.join('; ')}`, {
    help: 'Run "qfuse doctor" to see step by step what was looked for and found.',
  });
}

function isFound(attempt: Attempt): attempt is FoundAdapter {
  return 'adapter' in attempt;
}
