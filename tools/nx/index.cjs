// Infers the targets of every package, so that a package carries no nx configuration and no scripts of its own.
const { dirname, join } = require('node:path');
const { existsSync, readFileSync } = require('node:fs');

exports.name = '@qfuse/tools';

exports.createNodesV2 = [
  'packages/{*,passes/*}/package.json',
  (files, _options, { workspaceRoot }) =>
    files.map((file) => {
      const root = dirname(file);
      const { name } = JSON.parse(readFileSync(join(workspaceRoot, file), 'utf8'));
      return [
        file,
        {
          projects: {
            [root]: {
              root,
              name,
              projectType: 'library',
              targets: targetsOf(root, name, existsSync(join(workspaceRoot, root, 'tsconfig.node.json'))),
            },
          },
        },
      ];
    }),
];

function targetsOf(root, name, hasNodeEntry) {
  const up = '../'.repeat(root.split('/').length);
  // Both compilers claim node_modules/.bin/tsc; the native one is called by its path.
  const tsc = `node ${up}node_modules/ts7/bin/tsc`;
  const target = (command, inputs, rest) => ({
    command,
    options: { cwd: '{projectRoot}' },
    cache: true,
    inputs,
    ...rest,
  });
  const tools = (...externalDependencies) => ({ externalDependencies });
  return {
    // Packages see each other's sources (condition "@qfuse/source"), so nothing has to be built before anything else.
    bundle: target('tsup --silent', ['production', tools('tsup', 'esbuild')], {
      outputs: ['{projectRoot}/dist/**/*.js', '{projectRoot}/dist/**/*.js.map'],
    }),
    // The entry "./node" is compiled apart, so that the rest is compiled without the types of Node.
    declarations: target(
      `${tsc} -p tsconfig.build.json${hasNodeEntry ? ` && ${tsc} -p tsconfig.node.json` : ''}`,
      ['production', '^production', tools('ts7')],
      {
        outputs: ['{projectRoot}/dist/**/*.d.ts', '{projectRoot}/dist/**/*.d.ts.map'],
        // tsup cleans the folder that the declarations go to.
        dependsOn: ['bundle'],
      },
    ),
    build: { executor: 'nx:noop', dependsOn: ['bundle', 'declarations'] },
    typecheck: target(`${tsc} -p tsconfig.json --noEmit`, ['default', '^production', tools('ts7')]),
    test: target(`vitest run --config ${up}vitest.workspace.ts --project ${name}`, ['default', '^production', tools('vitest', 'vite')]),
    lint: target('oxlint --deny-warnings .', ['default', '{workspaceRoot}/.oxlintrc.json', tools('oxlint')]),
  };
}
