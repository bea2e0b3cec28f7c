import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { programs, suites, type Suite } from './suites.ts';

/** `run-suites.ts everywhere|beyond|all|NAME…`: runs the suites one after the other, each timed against its budget. */

/**
 * Every test file is a process of its own that reads the same sources, and many start more: what Node made of a source is kept for the
 * next, which then starts in a third of the time.
 */
const compileCache = join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled');

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

interface SuiteRun {
  readonly passed: boolean;
  readonly seconds: number;
  /** What the reporter says of the tests that failed; repeated at the end, where it is looked for. */
  readonly failures: string;
}

const keptOutputLength = 100_000;
/** A suite that was ended at its limit says nothing of failing tests; its last lines tell where it hung. */
const unfinishedOutputLength = 2000;
const drainMs = 5000;

async function runSuite(suite: Suite): Promise<SuiteRun> {
  const started = performance.now();
  const files = globSync(suite.files);
  const child = spawn(
    process.execPath,
    ['--test', '--test-reporter=spec', '--test-timeout=120000', concurrency, ...files],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env },
    },
  );
  let kept = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text);
    kept = (kept + text).slice(-keptOutputLength);
  });
  const limit = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, suite.budgetSeconds * 2000);
  const [code] = (await once(child, 'exit')) as [number | null];
  clearTimeout(limit);
  // Not for ever: a process that a test left behind may hold the pipe open.
  await Promise.race([finished(child.stdout), wait(drainMs, undefined, { ref: false })]);
  const from = kept.lastIndexOf('failing tests:');
  return {
    passed: code === 0,
    seconds: (performance.now() - started) / 1000,
    failures: from === -1 ? kept.slice(-unfinishedOutputLength) : kept.slice(from),
  };
}

const names = chosen(process.argv.slice(2)).filter((name) => globSync(suites[name].files).length > 0);
const missing = missingPackages(names);
if (missing.length > 0) {
  process.stderr.write(
    `These tests need programs that are not here. Install them with:\n\n    sudo apt-get install ${missing.join(' ')}\n\n`,
  );
  process.exit(1);
}
/**
 * Suites beyond `npm test` drive other people's daemons, browsers and emulators in real time. One that fails is run once more:
 * what fails twice is broken, what passes then is unsteady, and is named so, with what failed.
 */
async function runTwiceAtMost(name: keyof typeof suites): Promise<string> {
  process.stdout.write(`\n== ${name}\n`);
  const first = await runSuite(suites[name]);
  if (first.passed) return report('passed', name, first.seconds);
  failures.push(`== ${name}\n${first.failures}`);
  if (suites[name].everywhere) return report('FAILED', name, first.seconds);
  process.stdout.write(`\n== ${name}, once more\n`);
  const second = await runSuite(suites[name]);
  return report(second.passed ? 'UNSTEADY' : 'FAILED', name, second.seconds);
}

type Verdict = 'passed' | 'UNSTEADY' | 'FAILED';

function report(verdict: Verdict, name: keyof typeof suites, seconds: number): string {
  const { budgetSeconds } = suites[name];
  counts[verdict] += 1;
  const budget = `${seconds > budgetSeconds ? 'OVER its budget of' : 'budget'} ${String(budgetSeconds)} s`;
  return `${verdict.padEnd(8)}  ${name.padEnd(18)} ${seconds.toFixed(1).padStart(6)} s  (${budget})`;
}

const counts: Record<Verdict, number> = { passed: 0, UNSTEADY: 0, FAILED: 0 };
const failures: string[] = [];
const lines: string[] = [];
for (const name of names) lines.push(await runTwiceAtMost(name));
const { passed, UNSTEADY: unsteady, FAILED: failed } = counts;
process.stdout.write(
  `\n${[...failures, ...lines].join('\n')}\n\nsuites: ${String(passed)} passed, ${String(unsteady)} unsteady, ${String(failed)} failed\n`,
);
process.exitCode = failed === 0 && passed + unsteady > 0 ? 0 : 1;
