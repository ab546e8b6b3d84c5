// `npx nx g @qfuse/tools:op aten.lerp.Scalar`: a definition with reference and tests, and its line in the dialect's index.
const { join } = require('node:path');
const { generateFiles, names } = require('@nx/devkit');

module.exports = async function op(tree, { name, description }) {
  const [dialect, ...rest] = name.split('.');
  const { className, fileName } = names(rest.join('-').replaceAll('_', '-'));
  const folder = `packages/ops/src/${dialect}`;
  const index = `${folder}/index.ts`;
  if (!tree.exists(index)) throw new Error(`${index} does not exist, so there is no dialect "${dialect}"`);
  if (tree.exists(`${folder}/${fileName}.ts`)) throw new Error(`${folder}/${fileName}.ts already exists`);
  const taken = new RegExp(`name: '${name.replaceAll('.', '\\.')}'|export const ${className}\\b`);
  const owner = tree
    .children(folder)
    .find((file) => tree.isFile(`${folder}/${file}`) && taken.test(tree.read(`${folder}/${file}`, 'utf8')));
  if (owner !== undefined) throw new Error(`${folder}/${owner} already defines ${name} or exports ${className}`);
  generateFiles(tree, join(__dirname, 'files'), folder, { name, description, className, fileName, tmpl: '' });
  tree.write(index, `${tree.read(index, 'utf8').trimEnd()}\nexport * from './${fileName}.js';\n`);
  tree.write(`.changeset/op-${dialect}-${fileName}.md`, `---\n'@qfuse/ops': minor\n---\n\nNew op \`${name}\`.\n`);
};
