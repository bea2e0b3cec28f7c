import { relative } from 'node:path';
import { run } from 'node:test';
import { inspect } from 'node:util';
import type { EventData } from 'node:test';
import { writeResult } from '../bench/write-result.ts';

/**
 * `npm run nightly [-- --write] [PART …]`: what is too long for CI. With `--write` the figures are kept, dated, in bench/results. Ctrl-C ends
 * it with the figures of the tests that have ended.
 */

// prettier-ignore
const parts = {
  'qemu-grub':       ['e2e/qemu/grub/nightly.ts'],
  'qemu-debian':     ['e2e/qemu/grub/debian-nightly.ts'],
  'qemu-kernel':     ['e2e/qemu/grub/kernel-nightly.ts'],
  'qemu-u-boot':     ['e2e/qemu/u-boot/nightly.ts'],
  'qemu-ubi':        ['e2e/qemu/ubi/nightly.ts'],
  'qemu-power-cuts': ['e2e/qemu/grub/power-cuts.ts'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
type Part = keyof typeof parts;

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

const isPart = (name: string): name is Part => Object.hasOwn(parts, name);

/** Runs the files of a part one after the other; answers whether all passed. */
async function runPart(name: Part, isKept: boolean): Promise<boolean> {
  const rows: { test: string; verdict: 'passed' | 'FAILED'; ms: number; figures: string[] }[] = [];
  const ended = (
    { name: test, nesting, details, file }: EventData.TestPass | EventData.TestFail,
    passed: boolean,
  ) => {
    const isWhole = details.type === 'suite' || (nesting === 0 && file !== undefined && test.endsWith(file));
    // What holds tests failed by one of them, or cannot be run at all.
    const isTold = 'error' in details && failureOf(details.error) === 'subtestsFailed';
    if ((isWhole && (passed || isTold)) || (stop.signal.aborted && !passed)) return;
    const verdict = passed ? 'passed' : 'FAILED';
    rows.push({ test, verdict, ms: details.duration_ms, figures: [] });
    process.stdout.write(`${verdict}  ${test}  ${(details.duration_ms / 1000).toFixed(1)} s\n`);
    if ('error' in details) process.stdout.write(`${inspect(details.error.cause)}\n`);
  };
  const began = performance.now();
  for await (const event of run({ files: [...parts[name]], concurrency: false, signal: stop.signal })) {
    if (event.type === 'test:pass') ended(event.data, true);
    if (event.type === 'test:fail') ended(event.data, false);
    if (event.type === 'test:stderr') process.stderr.write(event.data.message);
    // What a test tells of itself comes behind its end; the runner's own figures belong to no file.
    if (event.type === 'test:diagnostic' && event.data.file !== undefined) {
      rows.at(-1)?.figures.push(event.data.message);
      process.stdout.write(`        ${event.data.message}\n`);
    }
  }
  const failed = rows.filter(({ verdict }) => verdict === 'FAILED').length;
  writeResult(`nightly-${name}`, isKept, [
    `\`npm run nightly -- ${name}\`: ${String(rows.length - failed)} passed, ${String(failed)} failed${stop.signal.aborted ? ', ended before all were run' : ''}, ` +
      `${String(Math.round((performance.now() - began) / 60_000))} minutes on a machine shared with other work; emulated processors (QEMU TCG).`,
    `Tests: ${parts[name].map((file) => `\`${relative(process.cwd(), file)}\``).join(', ')}.`,
    '',
    '| test | verdict | seconds | figures |',
    '| ---- | ------- | ------- | ------- |',
    ...rows.map(
      ({ test, verdict, ms, figures }) =>
        `| ${test} | ${verdict} | ${(ms / 1000).toFixed(1)} | ${figures.join('; ')} |`,
    ),
  ]);
  return failed === 0 && rows.length > 0;
}

const failureOf = (error: object): unknown => ('failureType' in error ? error.failureType : undefined);

const args = process.argv.slice(2);
const names = args.filter((arg) => arg !== '--write');
const unknown = names.find((name) => !isPart(name));
if (unknown !== undefined) {
  process.stderr.write(`There is no part ${unknown}; there are ${Object.keys(parts).join(', ')}.\n`);
  process.exit(1);
}
const chosen = names.length === 0 ? (Object.keys(parts) as Part[]) : names.filter(isPart);
const verdicts: boolean[] = [];
for (const name of chosen) verdicts.push(await runPart(name, args.includes('--write')));
process.exitCode = verdicts.every(Boolean) ? 0 : 1;
