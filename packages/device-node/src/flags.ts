import { QfuseError } from '@qfuse/ir';
import type { DeviceOptions } from './types.js';

/** The Dawn backend of each platform. Named always, so that the environment variable DAWNNODE_BACKEND has no say. */
const platformBackends: Partial<Record<NodeJS.Platform, string>> = { linux: 'vulkan', darwin: 'metal', win32: 'd3d12' };

/**
 * The arguments of Dawn's `create()` for the given options, in a fixed order: equal options give equal flags.
 * Dawn applies the toggles in them to the instance, the adapter and the device, and offers no later moment to set them.
 *
 * @param adapter - exact name of an adapter as Dawn lists it; without it Dawn takes the first
 * @throws QfuseError `device-node/bad-toggle` for what cannot be the name of a toggle
 */
export function dawnFlags(
  options: Pick<DeviceOptions, 'backend' | 'toggles' | 'validation' | 'robustness'>,
  adapter?: string,
  platform: NodeJS.Platform = process.platform,
): readonly string[] {
  const enable = [
    // Offers experimental features, among them matrix units.
    'allow_unsafe_apis',
    // NVIDIA's f16 is held back in Dawn by default: without this, `shader-f16` and all f16 matrix shapes are missing.
    'vulkan_enable_f16_on_nvidia',
  ];
  const disable = [
    // Timestamps would come in steps of 65 µs, longer than most kernels take.
    'timestamp_quantization',
  ];
  if (options.validation === false) {
    enable.push('skip_validation');
    disable.push('enable_spirv_validation');
  }
  if (options.robustness === false) {
    enable.push('disable_robustness', 'disable_workgroup_init', 'disable_polyfills_on_integer_div_and_mod');
    disable.push('lazy_clear_resource_on_first_use');
  }
  enable.push(...(options.toggles?.enable ?? []));
  disable.push(...(options.toggles?.disable ?? []));
  for (const toggle of [...enable, ...disable]) {
    // A comma or an equals sign would change the meaning of the flag that it stands in.
    if (!/^\w+$/.test(toggle))
      throw new QfuseError('device-node/bad-toggle', `"${toggle}" is not the name of a Dawn toggle`, {
        help: 'Names consist of letters, digits and underscores, e.g. "dump_shaders"; give one name per entry.',
      });
  }
  const backend = options.backend ?? platformBackends[platform];
  return [
    ...(backend ? [`backend=${backend}`] : []),
    ...(adapter === undefined ? [] : [`adapter=${adapter}`]),
    `enable-dawn-features=${enable.join(',')}`,
    `disable-dawn-features=${disable.join(',')}`,
  ];
}
