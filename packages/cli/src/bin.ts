import { main } from './main.js';

// The reader of a pipe may end before this does, e.g. "qfuse inspect MODEL --text | head"; the rest is for nobody then.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

await main(process.argv.slice(2));
