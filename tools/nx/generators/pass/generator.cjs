const { generateFiles, names, joinPathFragments, readJson } = require('@nx/devkit');
const { join } = require('node:path');
module.exports = async function (tree, options) {
  const n = names(options.name);
  const root = joinPathFragments('packages', `pass-${n.fileName}`);
  if (tree.exists(root)) throw new Error(`${root} already exists`);
  const v = (p) => `^${readJson(tree, `packages/${p}/package.json`).version}`;
  generateFiles(tree, join(__dirname, 'files'), root, {
    ...n,
    description: options.description,
    irVersion: v('ir'),
    pmVersion: v('pass-manager'),
    tmpl: '',
  });
  tree.write(
    `.changeset/pass-${n.fileName}.md`,
    `---\n"@scope/pass-${n.fileName}": minor\n---\n\nNew pass: ${n.fileName}.\n`,
  );
  return () => {
    console.log('Run `npm install` to link the new package.');
  };
};
