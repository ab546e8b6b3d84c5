import ts from 'typescript';

/**
 * Everything that a TypeScript file imports: declarations, re-exports, `import()` of values and types, `require`.
 *
 * @param {string} path file name, for its extension
 * @param {string} text
 * @returns {{ specifier: string, typeOnly: boolean }[]} in order, with repetitions
 */
export function importsOf(path, text) {
  /** @type {{ specifier: string, typeOnly: boolean }[]} */
  const imports = [];
  const add = (/** @type {import('typescript').Node | undefined} */ specifier, typeOnly = false) => {
    if (specifier && ts.isStringLiteralLike(specifier)) imports.push({ specifier: specifier.text, typeOnly });
  };
  const visit = (/** @type {import('typescript').Node} */ node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require'))
      add(node.arguments[0]);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return imports;
}
