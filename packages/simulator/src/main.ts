import { readFile } from 'node:fs/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { help, readCommandLine } from './command-line.ts';
import { defaultKinds, readProfile } from './fleet-profile.ts';
import { simulateFleet } from './simulate-fleet.ts';
import { SimulatorError } from './simulator-error.ts';

/** The one place where the real network, clock and console are taken up. */
try {
  const wanted = readCommandLine(process.argv.slice(2));
  if (wanted === undefined) process.stdout.write(`${help()}\n`);
  else {
    if (wanted.authorityPath !== undefined)
      setDefaultCACertificates([...getCACertificates(), await readFile(wanted.authorityPath, 'utf8')]);
    const kinds =
      wanted.profilePath === undefined
        ? defaultKinds
        : readProfile(await readFile(wanted.profilePath, 'utf8'));
    const stopped = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stopped.abort());
    process.once('disconnect', () => stopped.abort());
    process.channel?.unref();
    const timer =
      wanted.forSeconds === undefined
        ? undefined
        : setTimeout(() => stopped.abort(), wanted.forSeconds * 1000);
    const counted = await simulateFleet({
      ...wanted,
      kinds: kinds.map((kind) => ({ ...kind, pollSeconds: wanted.pollSeconds ?? kind.pollSeconds })),
      fetch,
      signal: stopped.signal,
      onProgress: {
        everyMs: wanted.progressSeconds * 1000,
        tell: (line) => process.stdout.write(`${new Date().toISOString()} ${line}\n`),
      },
    });
    clearTimeout(timer);
    process.stdout.write(`\n${counted.summary()}\n`);
  }
} catch (error) {
  const isUsage = error instanceof SimulatorError && error.code === 'badArguments';
  process.stderr.write(`tandem-simulator: ${error instanceof Error ? error.message : String(error)}\n`);
  if (isUsage) process.stderr.write('Try --help.\n');
  process.exitCode = isUsage ? 2 : 1;
}
