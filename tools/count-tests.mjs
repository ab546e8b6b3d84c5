// `node tools/count-tests.mjs REPORT…`: adds up vitest's JSON reports. What was skipped and what failed goes to stderr;
// the last line of stdout is "N passed, N failed". Exits 1 when anything failed, or when a report is missing or empty.
import { existsSync, readFileSync } from 'node:fs';
import { addReports } from './tests/report.mjs';

const reports = process.argv.slice(2);
const missing = reports.filter((file) => !existsSync(file));
for (const file of missing) console.error(`no test report ${file}: the run ended before its tests did`);

const total = addReports(reports.filter((file) => existsSync(file)).map((file) => JSON.parse(readFileSync(file, 'utf8'))));
for (const name of total.skipped) console.error(`skipped: ${name}`);
for (const name of total.failures) console.error(`failed: ${name}`);
console.log(`${total.passed} passed, ${total.failures.length} failed`);
process.exitCode = missing.length || total.failures.length || !total.passed ? 1 : 0;
