import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { PayloadFile, PayloadHeader } from '@tandem/artifact';
import { linuxSystem } from '../system/linux-system.ts';
import { openInTime, type OpenedFile, type OpenFile } from '../system/open-in-time.ts';
import { findInstaller } from './find-installer.ts';

const header: PayloadHeader = { type: 'test-module', raw: { typeInfo: new Uint8Array() }, files: [] };
const never = new Promise<never>(() => undefined);
const bigBytes = 3 * 1024 * 1024;

/** Payload files as the artifact library gives them; a fault at the end of a file is what a wrong checksum is. */
async function* payload(
  files: readonly { name: string; content: Uint8Array; fault?: Error; stalls?: true }[],
): AsyncIterable<PayloadFile> {
  for (const [index, { name, content, fault, stalls }] of files.entries()) {
    yield {
      payloadIndex: index,
      name,
      sizeBytes: content.byteLength,
      mode: 0o644,
      modifiedAt: 0,
      sha256: '',
      contentOffset: 0,
      content: (async function* () {
        for (let at = 0; at < content.byteLength; at += 65_536) yield content.subarray(at, at + 65_536);
        if (stalls) await new Promise<never>(() => undefined);
        if (fault) throw fault;
      })(),
    };
  }
}

const small = { name: 'small.txt', content: Buffer.from('hello\n') };
const empty = { name: 'empty', content: new Uint8Array() };
const big = { name: 'big.bin', content: Buffer.alloc(bigBytes, 'tandem') };
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A module whose Download (and other calls) is the shell text, run in an empty work tree. */
async function moduleDevice(
  t: TestContext,
  script: string,
  options: { timeoutMs?: number; mode?: number; openFile?: OpenFile } = {},
) {
  const directory = await mkdtemp(join(tmpdir(), 'update-module-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tree = join(directory, 'tree');
  await mkdir(join(tree, 'files'), { recursive: true });
  await mkdir(join(tree, 'tmp'));
  const program = join(directory, 'test-module');
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, options.mode ?? 0o755);
  const logged: string[] = [];
  const system = linuxSystem({ log: () => undefined, environment: process.env, killGraceMs: 200 });
  const find = (type: string) =>
    findInstaller(
      type,
      { path: tree, log: (_level, message) => logged.push(message) },
      {
        ...system,
        modules: directory,
        moduleTimeoutMs: options.timeoutMs ?? 10_000,
        builtIn: {},
        ...(options.openFile === undefined ? {} : { openFile: options.openFile }),
      },
    );
  return { directory, tree, logged, find, installer: async () => find('test-module') };
}

const { signal } = new AbortController();

const readAll = `
case "$1" in Download*) ;; *) exit 0 ;; esac
while true; do
  line=$(cat stream-next)
  [ -z "$line" ] && exit 0
  echo "$line" >> tmp/lines
  cat "\${line%% *}" | sha256sum | cut -d' ' -f1 >> tmp/sums
done`;

describe('an update module in the download call', { concurrency: 4 }, () => {
  test('that reads all gets every file whole and in order, an empty one too', async (t) => {
    const device = await moduleDevice(t, readAll);
    await (await device.installer()).download(header, payload([small, empty, big]), signal);
    assert.equal(
      await readFile(join(device.tree, 'tmp/lines'), 'utf8'),
      'streams/small.txt\nstreams/empty\nstreams/big.bin\n',
    );
    assert.deepEqual(
      (await readFile(join(device.tree, 'tmp/sums'), 'utf8')).trim().split('\n'),
      [small, empty, big].map(({ content }) => digest(content)),
    );
    assert.deepEqual((await readdir(device.tree)).toSorted(), ['files', 'tmp'], 'no FIFO is left');
  });

  test('that asks for sizes gets them beside the names', async (t) => {
    const device = await moduleDevice(
      t,
      `[ "$1" = ProvidePayloadFileSizes ] && echo Yes && exit 0\n${readAll}`,
    );
    await (await device.installer()).download(header, payload([small, big]), signal);
    assert.equal(
      await readFile(join(device.tree, 'tmp/lines'), 'utf8'),
      `streams/small.txt 6\nstreams/big.bin ${bigBytes}\n`,
    );
  });

  test("that reads with the shell's own read gets the same", async (t) => {
    const device = await moduleDevice(
      t,
      `[ "$1" = Download ] || exit 0
while read -r line < stream-next; do cat "$line" > "tmp/$(basename "$line")"; done
exit 0`,
    );
    await (await device.installer()).download(header, payload([small, big]), signal);
    assert.equal(digest(await readFile(join(device.tree, 'tmp/big.bin'))), digest(big.content));
  });

  test('for a payload without files finds the end at once', async (t) => {
    const device = await moduleDevice(t, readAll);
    await (await device.installer()).download(header, payload([]), signal);
    assert.deepEqual(await readdir(join(device.tree, 'tmp')), []);
  });

  test('that leaves the streams alone finds the files stored', async (t) => {
    const device = await moduleDevice(t, 'exit 0');
    await (await device.installer()).download(header, payload([small, empty, big]), signal);
    assert.deepEqual((await readdir(join(device.tree, 'files'))).toSorted(), [
      'big.bin',
      'empty',
      'small.txt',
    ]);
    assert.equal(digest(await readFile(join(device.tree, 'files/big.bin'))), digest(big.content));
  });

  // prettier-ignore
  const failing = [
    { name: 'that fails without reading',                  script: 'exit 3',                                                            expect: /failed with exit code 3/ },
    { name: 'that takes the first file and says it is done', script: 'n=$(cat stream-next); cat "$n" > /dev/null; exit 0',                expect: /took only a part/ },
    { name: 'that takes the names and no content',         script: 'n=$(cat stream-next); exit 0',                                      expect: /took only a part/ },
    { name: 'that stops in the middle of a file',          script: 'n=$(cat stream-next); head -c 100000 "$n" > /dev/null; n=$(cat stream-next); exit 0', expect: /took only a part/, timeoutMs: 6000, bigFirst: true },
    { name: 'that dies while it reads',                    script: 'n=$(cat stream-next); head -c 100000 "$n" > /dev/null; exit 7',       expect: /failed with exit code 7/, bigFirst: true },
    { name: 'that is killed while it reads',               script: 'n=$(cat stream-next); head -c 100000 "$n" > /dev/null; kill -9 $$',   expect: /ended by SIGKILL/, bigFirst: true },
    { name: 'that never opens a stream',                   script: 'sleep 60',                                                          expect: /did not end within/ },
    { name: 'that opens stream-next and hangs',            script: 'n=$(cat stream-next); sleep 60',                                    expect: /did not end within/ },
    { name: 'that opens a file and does not read it',      script: 'n=$(cat stream-next); exec 3< "$n"; sleep 60',                      expect: /did not end within/, bigFirst: true },
    { name: 'that reads all and then does not end',        script: 'while true; do n=$(cat stream-next); [ -z "$n" ] && sleep 60; cat "$n" >/dev/null; done', expect: /did not end within/ },
    { name: 'that ignores SIGTERM',                        script: 'trap "" TERM; while true; do sleep 1; done',                        expect: /did not end within/ },
  ];
  for (const { name, script, expect, bigFirst, timeoutMs = 1000 } of failing) {
    test(`${name} is a failure, in its words and within its time`, async (t) => {
      const device = await moduleDevice(t, `[ "$1" = Download ] || exit 0\n${script}`, { timeoutMs });
      const started = Date.now();
      await assert.rejects(
        (await device.installer()).download(header, payload(bigFirst ? [big, small] : [small, big]), signal),
        expect,
      );
      assert.ok(Date.now() - started < 5000, `${Date.now() - started} ms`);
    });
  }

  test('does not take a file for whole whose checksum is wrong', async (t) => {
    const device = await moduleDevice(
      t,
      `[ "$1" = Download ] || exit 0
n=$(cat stream-next); cat "$n" > /dev/null && echo whole > tmp/done; exit 0`,
    );
    const fault = new Error('checksum mismatch');
    await assert.rejects(
      (await device.installer()).download(header, payload([{ ...small, fault }]), signal),
      fault,
    );
    assert.deepEqual(await readdir(join(device.tree, 'tmp')), []);
  });

  for (const call of ['open', 'write', 'sync', 'close'] as const) {
    test(`that reads nothing: its files on a medium that hangs in ${call} are a failure in time`, async (t) => {
      const device = await moduleDevice(t, 'exit 0', {
        openFile: openInTime(async (path, flags, mode) => {
          if (call === 'open') return never;
          const file = await open(path, flags, mode);
          t.after(() => file.close());
          const real: OpenedFile = {
            read: (...to) => file.read(...to),
            write: (...from) => file.write(...from),
            datasync: () => file.datasync(),
            sync: () => file.sync(),
            close: async () => undefined,
          };
          return { ...real, [call]: () => never };
        }, 50),
      });
      await assert.rejects((await device.installer()).download(header, payload([small]), signal), {
        code: 'storageHangs',
        message: /files\/small.txt.* has not come back/,
      });
    });
  }

  test('is not waited for beyond its time while the download stands still', async (t) => {
    const device = await moduleDevice(t, readAll, { timeoutMs: 1000 });
    await assert.rejects(
      (await device.installer()).download(header, payload([{ ...small, stalls: true }]), signal),
      /did not end within/,
    );
  });

  test('is ended by an abort at once', async (t) => {
    const device = await moduleDevice(t, '[ "$1" = Download ] || exit 0; echo $$ > tmp/pid; sleep 60');
    const stop = new AbortController();
    const downloading = (await device.installer()).download(header, payload([small]), stop.signal);
    setTimeout(() => stop.abort(new Error('SIGTERM')), 300);
    await assert.rejects(downloading, /SIGTERM/);
    const pid = Number(await readFile(join(device.tree, 'tmp/pid'), 'utf8'));
    assert.throws(() => process.kill(pid, 0), 'the module is gone');
  });

  for (const name of ['../escape', 'a/b', '..', '', 'two\nlines']) {
    test(`refuses the file name ${JSON.stringify(name)}`, async (t) => {
      for (const script of ['exit 0', readAll]) {
        const device = await moduleDevice(t, script);
        await assert.rejects(
          (await device.installer()).download(header, payload([{ ...small, name }]), signal),
          /cannot be used on a device/,
        );
      }
    });
  }
});

describe('a question to an update module', () => {
  // prettier-ignore
  const answers = [
    { says: 'echo Yes',            reboot: 'Yes' },
    { says: 'echo No',             reboot: 'No' },
    { says: 'echo Automatic',      reboot: 'Automatic' },
    { says: 'printf Automatic',    reboot: 'Automatic' },
    { says: ':',                   reboot: 'No' },
    { says: 'echo',                reboot: 'No' },
    { says: 'echo Maybe',          reboot: undefined },
    { says: 'echo yes',            reboot: undefined },
    { says: 'echo Yes; echo No',   reboot: undefined },
    { says: 'echo Yes; exit 1',    reboot: undefined },
  ];
  for (const { says, reboot } of answers) {
    test(`'${says}' is ${reboot ?? 'no answer'}`, async (t) => {
      const installer = await (await moduleDevice(t, says)).installer();
      if (reboot === undefined) await assert.rejects(installer.needsArtifactReboot(signal));
      else assert.equal(await installer.needsArtifactReboot(signal), reboot);
    });
  }
  test('about rollback knows no Automatic', async (t) => {
    const installer = await (await moduleDevice(t, 'echo Automatic')).installer();
    await assert.rejects(installer.supportsRollback(signal), { code: 'moduleAnswer' });
  });
});

describe('the installer of a payload type', () => {
  test('is called with the state and the work tree, in the work tree, and its output is logged', async (t) => {
    const device = await moduleDevice(t, 'echo "$1 $2 $(pwd)"; echo oops >&2');
    await (await device.installer()).artifactInstall(signal);
    assert.deepEqual(device.logged.toSorted(), [
      'Update Module output (stderr): oops',
      `Update Module output (stdout): ArtifactInstall ${device.tree} ${device.tree}`,
    ]);
  });
  test('is heard while it still runs, and not without end', { timeout: 20_000 }, async (t) => {
    const says = 'echo begun; until [ -e go-on ]; do sleep 0.02; done; yes | head -c 100000; printf end >&2';
    const device = await moduleDevice(t, says);
    const installing = (await device.installer()).artifactInstall(signal);
    while (!device.logged.includes('Update Module output (stdout): begun'))
      await new Promise((resolve) => setTimeout(resolve, 5));
    await writeFile(join(device.tree, 'go-on'), '');
    await installing;
    assert.equal(device.logged.at(-1), 'Update Module output (stderr): end');
    assert.ok(device.logged.join('').length < 300_000, 'bounded');
    assert.ok(device.logged.length < 6000);
  });
  test('is missing in words that name the file', async (t) => {
    const device = await moduleDevice(t, '');
    await assert.rejects(device.find('deb'), /Update Module not found .*'deb'.*\/deb/);
  });
  for (const type of ['../test-module', '.hidden', 'a/b', '', 'a b', '-x']) {
    test(`of the name ${JSON.stringify(type)} is not looked for`, async (t) => {
      await assert.rejects((await moduleDevice(t, '')).find(type), { code: 'artifactRefused' });
    });
  }
  test('is not run when everybody may write it', async (t) => {
    const device = await moduleDevice(t, '', { mode: 0o777 });
    await assert.rejects(device.installer(), { code: 'untrustedProgram' });
  });
});
