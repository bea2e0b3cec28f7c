import { spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { programs, suites, type Suite } from './suites.ts';

/** `run-suites.ts everywhere|beyond|all|NAME…`: runs the suites one after the other, each timed against its budget. */

/** Node's own default leaves one core idle, which on two cores is half of them; most of our tests wait for something. */
const concurrency = `--test-concurrency=${String(availableParallelism())}`;

const namesOfSuites = Object.keys(suites) as (keyof typeof suites)[];

function chosen(args: readonly string[]): (keyof typeof suites)[] {
  if (args.length === 0)
    throw new Error(`name what to run: everywhere, beyond, all, or of ${namesOfSuites.join(', ')}`);
  if (args[0] === 'all') return namesOfSuites;
  if (args[0] === 'everywhere') return namesOfSuites.filter((name) => suites[name].everywhere);
  if (args[0] === 'beyond') return namesOfSuites.filter((name) => !suites[name].everywhere);
  return args.map((arg) => {
    const name = namesOfSuites.find((known) => known === arg);
    if (name === undefined) throw new Error(`no suite "${arg}"; there are ${namesOfSuites.join(', ')}`);
    return name;
  });
}

/** Debian packages of the programs that are missing. */
function missingPackages(names: readonly (keyof typeof suites)[]): string[] {
  const needed = names.flatMap((name) => [...suites[name].needs]);
  const missing = needed.filter((program) => !programs[program].paths.some((path) => existsSync(path)));
  return [...new Set(missing.map((program) => programs[program].package))];
}

function runSuite(suite: Suite): Promise<{ readonly passed: boolean; readonly seconds: number }> {
  const started = performance.now();
  const files = globSync(suite.files);
  const child = spawn(
    process.execPath,
    ['--test', '--test-reporter=spec', '--test-timeout=120000', concurrency, ...files],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    },
  );
  const limit = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, suite.budgetSeconds * 2000);
  return new Promise((resolve) => {
    child.once('exit', (code) => {
      clearTimeout(limit);
      resolve({ passed: code === 0, seconds: (performance.now() - started) / 1000 });
    });
  });
}

const names = chosen(process.argv.slice(2)).filter((name) => globSync(suites[name].files).length > 0);
const missing = missingPackages(names);
if (missing.length > 0) {
  process.stderr.write(
    `These tests need programs that are not here. Install them with:\n\n    sudo apt-get install ${missing.join(' ')}\n\n`,
  );
  process.exit(1);
}
let passed = 0;
const lines: string[] = [];
for (const name of names) {
  process.stdout.write(`\n== ${name}\n`);
  const { budgetSeconds } = suites[name];
  const result = await runSuite(suites[name]);
  if (result.passed) passed += 1;
  const budget =
    result.seconds > budgetSeconds
      ? `OVER its budget of ${String(budgetSeconds)} s`
      : `budget ${String(budgetSeconds)} s`;
  lines.push(
    `${result.passed ? 'passed' : 'FAILED'}  ${name.padEnd(18)} ${result.seconds.toFixed(1).padStart(6)} s  (${budget})`,
  );
}
process.stdout.write(
  `\n${lines.join('\n')}\n\nsuites: ${String(passed)} passed, ${String(names.length - passed)} failed\n`,
);
process.exitCode = passed === names.length && passed > 0 ? 0 : 1;
