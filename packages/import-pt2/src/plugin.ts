import { definePlugin, type Plugin } from '@qfuse/plugin';
import { pt2Importer } from './import-pt2.js';

/** The plugin that reads `.pt2` archives of `torch.export.save`. */
export function pt2(): Plugin {
  return definePlugin({ name: '@qfuse/import-pt2', version: '0.1.0', api: 1, importers: [pt2Importer] });
}
