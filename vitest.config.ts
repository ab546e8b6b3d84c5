// For `npx vitest` without arguments and for editors; the configuration itself is vitest.workspace.ts.
export { default } from './vitest.workspace.js';
