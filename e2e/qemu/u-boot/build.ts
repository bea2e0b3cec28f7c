import { createHash } from 'node:crypto';
import {
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  writeFile,
  appendFile,
} from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '@tandem/demo';
import { debianArchive } from '../small-guest/debian-archive.ts';
import { configurationText, uBoots, type UBootConfiguration, type UBootName } from './configurations.ts';

/** A U-Boot that was built. */
export interface BuiltUBoot {
  /** What `-bios` takes, or the process to start. */
  readonly path: string;
  /** Its default variables, a line each: for the image builder's setting `initialEnvironment`. Not made for the sandbox. */
  readonly initialEnvironment: string;
  /** The compiled device tree of the sandbox. */
  readonly deviceTree: string;
}

const own = import.meta.dirname;
const buildLimitMs = 900_000;
export const usualCache = join(tmpdir(), 'tandem-u-boot');

/**
 * Builds one U-Boot from Debian's source package, unless `cache` has it; that takes minutes. Needs deb-src of the release this
 * machine runs, which apt reaches without being told: it is given the machine's own sources, as sources of source packages.
 */
export async function buildUBoot(name: UBootName, cache = usualCache): Promise<BuiltUBoot> {
  const configuration: UBootConfiguration = uBoots[name];
  const extra = await Promise.all(
    ['sandbox-booti.c', 'sandbox.dts'].map((file) => readFile(join(own, file))),
  );
  const key = createHash('sha256').update(JSON.stringify(configuration));
  for (const bytes of extra) key.update(bytes);
  const place = join(cache, `${name}-${key.digest('hex').slice(0, 12)}`);
  const built: BuiltUBoot = {
    path: join(place, configuration.targets[0]),
    initialEnvironment: join(place, 'u-boot-initial-env'),
    deviceTree: join(place, 'sandbox.dtb'),
  };
  if (existsSync(place)) return built;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'build-'));
  try {
    const source = await fetchSource(work);
    await copyFile(join(own, 'sandbox-booti.c'), join(source, 'cmd', 'sandbox-booti.c'));
    await appendFile(join(source, 'cmd', 'Makefile'), 'obj-$(CONFIG_SANDBOX) += sandbox-booti.o\n');
    for (const { file, from, to } of configuration.edits) await replaceOnce(join(source, file), from, to);
    const output = join(work, 'output');
    const make = (...args: string[]) =>
      runProgram(
        'make',
        [
          '-C',
          source,
          `O=${output}`,
          `-j${String(cpus().length)}`,
          `CROSS_COMPILE=${configuration.crossCompile}`,
          ...configuration.makeArguments,
          ...args,
        ],
        { timeoutMs: buildLimitMs },
      );
    await make(configuration.base);
    await appendFile(join(output, '.config'), configurationText(configuration.lines));
    await make('olddefconfig');
    await assertConfigured(join(output, '.config'), configuration.lines);
    await make(...configuration.targets);
    const result = join(work, 'result');
    await mkdir(result);
    for (const file of configuration.targets) await copyFile(join(output, file), join(result, file));
    await runProgram('dtc', ['-q', '-O', 'dtb', '-o', join(result, 'sandbox.dtb'), join(own, 'sandbox.dts')]);
    // Another run may have been quicker; one is as good as the other.
    await rename(result, place).catch((error: unknown) => {
      if (!existsSync(place)) throw error;
    });
    return built;
  } finally {
    await rm(work, { recursive: true });
  }
}

async function replaceOnce(path: string, from: string, to: string): Promise<void> {
  const parts = (await readFile(path, 'utf8')).split(from);
  if (parts.length !== 2) throw new Error(`${path} should have ${JSON.stringify(from)} once`);
  await writeFile(path, parts.join(to));
}

/** Later lines count more, and what they ask for may be refused without a word: a dependency that is missing, a name that went. */
async function assertConfigured(path: string, lines: Readonly<Record<string, string>>): Promise<void> {
  const text = `\n${await readFile(path, 'utf8')}`;
  const refused = Object.entries(lines)
    .filter(([name, value]) =>
      value === 'n' ? text.includes(`\n${name}=`) : !text.includes(`\n${name}=${value}\n`),
    )
    .map(([name]) => name);
  if (refused.length > 0) throw new Error(`U-Boot's configuration did not take ${refused.join(', ')}`);
}

/** Unpacks the source package with Debian's patches; gives the directory. */
async function fetchSource(work: string): Promise<string> {
  const archive = join(work, 'archive');
  await (await debianArchive(archive, 'sources')).fetch('--download-only', 'source', 'u-boot');
  const description = (await readdir(archive)).find((name) => name.endsWith('.dsc'));
  if (description === undefined) throw new Error(`apt-get left no .dsc in ${archive}`);
  const source = join(work, 'source');
  await runProgram('dpkg-source', ['-x', join(archive, description), source]);
  return source;
}

if (import.meta.main) {
  const [name = ''] = process.argv.slice(2);
  if (!Object.hasOwn(uBoots, name)) throw new Error(`say which: ${Object.keys(uBoots).join(', ')}`);
  process.stdout.write(`${JSON.stringify(await buildUBoot(name as UBootName), undefined, 2)}\n`);
}
