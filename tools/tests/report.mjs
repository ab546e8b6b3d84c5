/**
 * @typedef {{ fullName: string, status: string }} TestResult
 * @typedef {{ name: string, status: string, assertionResults: TestResult[] }} FileResult
 * @typedef {{ success: boolean, testResults: FileResult[] }} Report what vitest's JSON reporter writes
 */

/**
 * Adds up the tests of several reports, from the results themselves rather than from the totals that stand beside them.
 *
 * @param {readonly Report[]} reports
 * @returns {{ passed: number, failures: string[], skipped: string[] }} a file that could not be loaded, and a run that
 *   failed although every test in it passed (an error outside of the tests), count as one failure each
 */
export function addReports(reports) {
  const total = { passed: 0, failures: /** @type {string[]} */ ([]), skipped: /** @type {string[]} */ ([]) };
  for (const report of reports) {
    const before = total.failures.length;
    for (const file of report.testResults) {
      const names = (/** @type {(status: string) => boolean} */ wanted) =>
        file.assertionResults.filter(({ status }) => wanted(status)).map(({ fullName }) => `${file.name}: ${fullName}`);
      const failed = names((status) => status === 'failed');
      total.passed += names((status) => status === 'passed').length;
      total.skipped.push(...names((status) => status !== 'passed' && status !== 'failed'));
      total.failures.push(...(failed.length || file.status !== 'failed' ? failed : [`${file.name}: could not be run`]));
    }
    if (!report.success && total.failures.length === before) total.failures.push('an error outside of the tests');
  }
  return total;
}
