import { expect, test } from 'vitest';
import { dawnFlags } from './flags.js';

test('the toggles without which matrix units, f16 on NVIDIA and exact timestamps are missing', () => {
  expect(dawnFlags({}, undefined, 'linux')).toEqual([
    'backend=vulkan',
    'enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia',
    'disable-dawn-features=timestamp_quantization',
  ]);
});

test.each([
  ['linux', 'backend=vulkan'],
  ['darwin', 'backend=metal'],
  ['win32', 'backend=d3d12'],
] as const)('the backend on %s is named, so that an environment variable cannot change it', (platform, flag) => {
  expect(dawnFlags({}, undefined, platform)).toContain(flag);
});

test('the null backend and the name of an adapter', () => {
  expect(dawnFlags({ backend: 'null' }, undefined, 'linux')).toContain('backend=null');
  expect(dawnFlags({}, 'NVIDIA H200 = x', 'linux')).toContain('adapter=NVIDIA H200 = x');
});

test('validation and robustness stay on unless they are switched off', () => {
  const enabled = (options: Parameters<typeof dawnFlags>[0]) =>
    dawnFlags(options)
      .find((flag) => flag.startsWith('enable-'))
      ?.split(/[=,]/) ?? [];
  for (const options of [{}, { validation: true, robustness: true }]) {
    expect(enabled(options)).not.toContain('skip_validation');
    expect(enabled(options)).not.toContain('disable_robustness');
  }
  expect(enabled({ validation: false })).toContain('skip_validation');
  expect(enabled({ validation: false })).not.toContain('disable_robustness');
  expect(enabled({ robustness: false })).toEqual(expect.arrayContaining(['disable_robustness', 'disable_workgroup_init']));
});

test('toggles of the caller come on top', () => {
  const [, enable, disable] = dawnFlags({ toggles: { enable: ['dump_shaders'], disable: ['use_dxc'] } }, undefined, 'linux');
  expect(enable).toMatch(/,dump_shaders$/);
  expect(disable).toMatch(/,use_dxc$/);
});

test.each(['a,b', 'a=b', '', 'a b'])('"%s" is not the name of a toggle', (name) => {
  for (const toggles of [{ enable: [name] }, { disable: [name] }])
    expect(() => dawnFlags({ toggles })).toThrow(expect.objectContaining({ code: 'device-node/bad-toggle' }));
});
