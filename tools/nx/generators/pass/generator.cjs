// `npx nx g @qfuse/tools:pass fuse-glu`: a package with one rule, its goldens and its tests. Then `npm install` links it.
const { join } = require('node:path');
const { generateFiles, joinPathFragments, names, readJson } = require('@nx/devkit');

module.exports = async function pass(tree, { name, description }) {
  const { fileName, propertyName } = names(name);
  const root = joinPathFragments('packages/passes', fileName);
  if (tree.exists(root)) throw new Error(`${root} already exists`);
  const range = (folder) => `^${readJson(tree, `packages/${folder}/package.json`).version}`;
  generateFiles(tree, join(__dirname, 'files'), root, {
    fileName,
    propertyName,
    description: description || 'Two relu in a row become one',
    ops: range('ops'),
    plugin: range('plugin'),
    testing: range('testing'),
    tmpl: '',
  });
  tree.write(`${root}/LICENSE`, tree.read('LICENSE', 'utf8'));
  tree.write(`.changeset/pass-${fileName}.md`, `---\n'@qfuse/pass-${fileName}': minor\n---\n\nNew pass \`${fileName}\`.\n`);
  return () => console.log('Run `npm install` to link the new package, then `npx nx test @qfuse/pass-%s`.', fileName);
};
