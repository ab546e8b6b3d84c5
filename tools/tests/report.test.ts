import { expect, test } from 'vitest';
import { addReports, type FileResult } from './report.mjs';

const file = (name: string, status: string, ...results: string[]): FileResult => ({
  name,
  status,
  assertionResults: results.map((result, index) => ({ fullName: `test ${index}`, status: result })),
});

test('reports are added test by test', () => {
  const first = { success: true, testResults: [file('a', 'passed', 'passed', 'passed')] };
  const second = {
    success: false,
    testResults: [file('b', 'failed', 'passed', 'failed', 'skipped', 'todo', 'pending')],
  };
  expect(addReports([first, second])).toEqual({
    passed: 3,
    failures: ['b: test 1'],
    skipped: ['b: test 2', 'b: test 3', 'b: test 4'],
  });
});

test('a file that could not be loaded is a failure', () => {
  expect(addReports([{ success: false, testResults: [file('a', 'failed')] }]).failures).toEqual(['a: could not be run']);
});

test('an error outside of the tests is a failure', () => {
  const report = { success: false, testResults: [file('a', 'passed', 'passed')] };
  expect(addReports([report])).toEqual({ passed: 1, failures: ['an error outside of the tests'], skipped: [] });
});

test('nothing is nothing', () => {
  expect(addReports([])).toEqual({ passed: 0, failures: [], skipped: [] });
});
