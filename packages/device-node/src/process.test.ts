// What shows only in a process of its own: exit, workers, garbage collection, races, and where the driver is unpacked.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDriver } from '@qfuse/swiftshader-linux-x64';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

const makeFolder = () => mkdtempSync(join(tmpdir(), 'qfuse-process-test-'));
const temporary = () => {
  const folder = makeFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

/** Runs a module text in a new Node on the sources of this package; resolves to all that it printed, on both streams. */
function runNode(code: string, env: Record<string, string | undefined> = {}, flags: string[] = []): Promise<string> {
  const prelude = `import { requestDevice, listAdapters } from '@qfuse/device-node';\n`;
  const args = [...flags, '--import', 'tsx', '--conditions=@qfuse/source', '--input-type=module', '-e', prelude + code];
  // The test runner's own settings are not those of a user.
  const { VITEST: _, NODE_OPTIONS: __, ...inherited } = process.env;
  return new Promise((resolve, reject) => {
    const options = { cwd: join(import.meta.dirname, '..'), env: { ...inherited, ...env }, timeout: 60_000 };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.code ?? error.signal}\n${stdout}${stderr}`));
      else resolve(stdout + stderr);
    });
  });
}

const embedded = process.platform === 'linux' && process.arch === 'x64';

describe.runIf(embedded)('a process', () => {
  test('that leaves its device open and has work pending ends by itself, and prints nothing', async () => {
    const code = `
      const { device } = await requestDevice();
      const buffer = device.createBuffer({ size: 1 << 20, usage: 1 });
      device.queue.onSubmittedWorkDone();
      void buffer.mapAsync(1);`;
    expect(await runNode(code)).toBe('');
  });

  test.each(['process.exit(0)', 'destroy()', 'destroy(); await lost'])('ends cleanly with %s', async (end) => {
    expect(await runNode(`const { destroy, lost } = await requestDevice(); ${end}`)).toBe('');
  });

  test('may use what is left of a destroyed device after everything else was collected', async () => {
    // Without what instances.ts does, this process dies with SIGSEGV or SIGABRT.
    const code = `
      const rest = async () => {
        const { device, destroy, lost } = await requestDevice({ adapter: 'software' });
        const left = { buffer: device.createBuffer({ size: 1 << 20, usage: 9 }), queue: device.queue };
        destroy();
        await lost;
        return left;
      };
      const { buffer, queue } = await rest();
      let rejected = 0;
      for (let i = 0; i < 30; i++) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 1));
        const [mapped, done] = [buffer.mapAsync(1), queue.onSubmittedWorkDone()];
        gc();
        await mapped.catch(() => rejected++);
        await done;
      }
      console.log(rejected);`;
    expect(await runNode(code, {}, ['--expose-gc'])).toBe('30\n');
  });

  test('opens and destroys devices without growing', async () => {
    const code = `
      const rss = () => { for (let i = 0; i < 3; i++) gc(); return process.memoryUsage().rss / 2 ** 20; };
      let before;
      for (let i = 0; i < 70; i++) {
        if (i === 10) before = rss();
        const { device, destroy, lost } = await requestDevice({ adapter: 'software' });
        device.queue.writeBuffer(device.createBuffer({ size: 1 << 20, usage: 8 }), 0, new Uint8Array(1 << 20));
        destroy();
        await lost;
      }
      console.log(rss() - before < 30);`;
    expect(await runNode(code, {}, ['--expose-gc'])).toBe('true\n');
  });

  test('has devices in worker threads, also when one is terminated at work', async () => {
    const code = `
      import { Worker } from 'node:worker_threads';
      const text = (end) => \`
        import { parentPort } from 'node:worker_threads';
        import { register } from 'tsx/esm/api';
        register();
        const { requestDevice } = await import('@qfuse/device-node');
        const { device, adapter } = await requestDevice({ adapter: 'software' });
        await device.queue.onSubmittedWorkDone();
        parentPort.postMessage(adapter.name);
        \${end}\`;
      const main = await requestDevice({ adapter: 'software' });
      const workers = ['', 'setInterval(() => device.queue.onSubmittedWorkDone(), 1)'].map((end) => new Worker(text(end), { eval: true }));
      const names = await Promise.all(workers.map((worker) => new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject))));
      await workers[1].terminate();
      await main.device.queue.onSubmittedWorkDone();
      console.log(new Set([main.adapter.name, ...names]).size);`;
    expect(await runNode(code)).toBe('1\n');
  });
});

describe.runIf(embedded)('the embedded driver', () => {
  const software = `const { origin } = await requestDevice({ adapter: 'software' }); console.log(origin);`;
  const binaries = (cache: string): string => {
    const [name] = readdirSync(join(cache, 'qfuse'));
    return join(cache, 'qfuse', name ?? '', 'node_modules/webgpu/dist/linux-x64');
  };

  test('is unpacked once by processes that start at the same time', async () => {
    const cache = temporary();
    const runs = await Promise.all([1, 2, 3, 4].map(() => runNode(software, { XDG_CACHE_HOME: cache })));
    expect(runs).toEqual(Array(4).fill('swiftshader\n'));
    expect(readdirSync(join(cache, 'qfuse'))).toHaveLength(1);
    expect(readdirSync(binaries(cache)).sort()).toEqual(['dawn.node', 'libvulkan.so.1']);
  });

  test('is replaced when its files are cut short or changed', async () => {
    const cache = temporary();
    await runNode(software, { XDG_CACHE_HOME: cache });
    const damages: [string, (file: string) => void][] = [
      ['libvulkan.so.1', (file) => truncateSync(file, 1 << 20)],
      ['libvulkan.so.1', (file) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
      ['dawn.node', (file) => truncateSync(file, 1 << 20)],
      ['dawn.node', (file) => rmSync(file)],
    ];
    for (const [file, damage] of damages) {
      damage(join(binaries(cache), file));
      expect(await runNode(software, { XDG_CACHE_HOME: cache })).toBe('swiftshader\n');
    }
    expect(readdirSync(join(cache, 'qfuse'))).toHaveLength(1);
  });

  test('goes to the temporary folder when the home cannot be written', async () => {
    const folder = temporary();
    const env = { XDG_CACHE_HOME: undefined, HOME: '/proc/none', TMPDIR: folder };
    expect(await runNode(software, env)).toBe('swiftshader\n');
    expect(readdirSync(folder).filter((name) => name.startsWith('qfuse-'))).toEqual([`qfuse-${process.getuid?.()}`]);
  });
});

describe.runIf(embedded)('a machine with drivers of its own', () => {
  // A folder with a library of the loader's name stands in for an installed driver; it is found by its name alone.
  let machine: string;
  beforeAll(() => {
    machine = makeFolder();
    writeFileSync(join(machine, 'libvulkan.so.1'), readDriver());
  });
  afterAll(() => rmSync(machine, { recursive: true, force: true }));
  const run = (code: string, env: Record<string, string> = {}) => runNode(code, { LD_LIBRARY_PATH: machine, ...env });

  test('offers them beside the embedded one, in one process and in any order', async () => {
    const code = `
      for (const adapter of ['software', 'native', 'software', 'native']) console.log((await requestDevice({ adapter })).origin);
      for (const { origin } of await listAdapters()) console.log('-', origin);`;
    expect(await run(code)).toBe('swiftshader\nnative\nswiftshader\nnative\n- native\n- swiftshader\n');
  });

  test('is asked first for an adapter by its name', async () => {
    expect(await run(`console.log((await requestDevice({ adapter: 'subzero' })).origin)`)).toBe('native\n');
  });

  test('lists them all for a name that does not exist', async () => {
    const code = `await requestDevice({ adapter: 'voodoo' }).catch((error) => console.log(error.message))`;
    expect(await run(code)).toMatch(/: swiftshader-device-\w+ \(native\), swiftshader-device-\w+ \(swiftshader\)\n$/);
  });

  test('is not preferred when its driver computes on the CPU', async () => {
    // The variable makes it worth while to look at the machine's drivers at all.
    const code = `console.log((await requestDevice()).origin)`;
    expect(await run(code, { VK_DRIVER_FILES: '/none.json' })).toBe('swiftshader\n');
  });

  test('whose loader cannot be loaded has no native adapter, without a warning of Dawn', async () => {
    // A file that is no library shadows what may be installed here.
    const broken = temporary();
    writeFileSync(join(broken, 'libvulkan.so.1'), 'not a library');
    const code = `await requestDevice({ adapter: 'native' }).catch((error) => console.log(error.message))`;
    expect(await runNode(code, { LD_LIBRARY_PATH: broken })).toMatch(/^There is no WebGPU adapter.*no Vulkan loader.*\n$/);
  });
});
