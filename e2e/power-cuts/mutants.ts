/**
 * Faults put into the client and the boot environment on purpose, to see that the proofs of this directory would find them. Each
 * is a change of one place of the source, which must be there exactly once.
 *
 *   breaks   the promise the fault takes away
 *   foundBy  the proof that must turn red: power cuts replayed, or media that fail
 *   device   the device it is looked for on; both when not given
 *   story    what becomes of the update it is looked for in; a commit when not given
 *   dataMount  the mount option of the data partition that shows it; ext4 hides it without
 */
export interface Mutant {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly breaks: string;
  readonly foundBy: 'power cuts' | 'faulty media';
  readonly device?: 'grub' | 'u-boot' | 'u-boot-two-copies';
  readonly story?: 'rollback';
  readonly dataMount?: 'sync';
}

const rootfs = 'packages/client/src/rootfs';
const deployment = 'packages/client/src/deployment';
const environment = 'packages/boot-environment/src';

export const mutants = {
  'image-not-flushed': {
    file: `${rootfs}/write-image.ts`,
    from: 'await file.sync();\n    return written;',
    to: 'return written;',
    breaks: 'the image is on the medium before the boot flag says so',
    foundBy: 'power cuts',
  },
  'flag-before-image': {
    file: `${rootfs}/rootfs-image.ts`,
    from: 'const inactive = await partitionToWrite(await look(signal));\n      let written = 0;',
    to:
      'const situation = await look(signal);\n      const inactive = await partitionToWrite(situation);\n' +
      "      await situation.environment.write({ ...bootOf(inactive), upgrade_available: '1', bootcount: '0' });\n" +
      '      let written = 0;',
    breaks: 'the boot flag is the last thing that is written',
    foundBy: 'power cuts',
  },
  'wrong-partition': {
    file: `${rootfs}/rootfs-image.ts`,
    from: "write({ ...bootOf(inactive), upgrade_available: '1', bootcount: '0' })",
    to: "write({ ...bootOf(running), upgrade_available: '1', bootcount: '0' })",
    breaks: 'the environment names the partition that was written',
    foundBy: 'power cuts',
  },
  'upgrade-available-forgotten': {
    file: `${rootfs}/rootfs-image.ts`,
    from: "write({ ...bootOf(inactive), upgrade_available: '1', bootcount: '0' })",
    to: "write({ ...bootOf(inactive), bootcount: '0' })",
    breaks: 'new software boots on trial first',
    foundBy: 'power cuts',
  },
  'bootcount-not-reset': {
    file: `${rootfs}/rootfs-image.ts`,
    from: "write({ ...bootOf(inactive), upgrade_available: '1', bootcount: '0' })",
    to: "write({ ...bootOf(inactive), upgrade_available: '1' })",
    breaks: 'a device that was updated before can be updated again',
    foundBy: 'power cuts',
    device: 'grub',
  },
  'commit-before-the-health-check': {
    file: `${rootfs}/rootfs-image.ts`,
    from: 'await assertRunning(situation);\n    }),\n\n    artifactCommit:',
    to: "await assertRunning(situation);\n      await situation.environment.write({ upgrade_available: '0' });\n    }),\n\n    artifactCommit:",
    breaks: 'software that was not found healthy is not kept by the bootloader',
    foundBy: 'power cuts',
  },
  'commit-after-the-provides': {
    file: `${rootfs}/rootfs-image.ts`,
    from: "await situation.environment.write({ upgrade_available: '0' });",
    to: "void situation.environment;\n      setTimeout(() => void situation.environment.write({ upgrade_available: '0' }), 1000);",
    breaks: 'the device says that it runs new software only when the bootloader keeps it',
    foundBy: 'power cuts',
  },
  'original-partition-forgotten': {
    file: `${rootfs}/rootfs-image.ts`,
    from: 'await system.files.writeDurably(originalPartFile, `${running.number}\\n`);',
    to: 'void originalPartFile;',
    breaks: 'a commit that was cut off after its write is still known for one, and can be undone',
    foundBy: 'power cuts',
  },
  'saved-after-acting': {
    file: `${deployment}/state-machine.ts`,
    from:
      'let event = await machine.save(state);\n    if (event === undefined) {\n      signal.throwIfAborted();\n' +
      '      event = await machine.act(state, signal);\n',
    to:
      'let event: Event | undefined = await machine.act(state, signal);\n    event = (await machine.save(state)) ?? event;\n' +
      '    {\n',
    breaks: 'every state saves before it acts',
    foundBy: 'power cuts',
  },
  'cut-commit-taken-for-done': {
    file: `${deployment}/deployment-states.ts`,
    from: "'update-commit':             { at: 'SupportsRollback',             outcome: 'failed' },",
    to: "'update-commit':             { at: 'AfterCommit',                  outcome: 'asSaved' },",
    breaks: 'what is not proven is rolled back after a power cut',
    foundBy: 'power cuts',
  },
  'provides-after-the-last-record': {
    file: `${deployment}/actions/cleanup.ts`,
    from: "await run.store.update({ ...software, ...recordOf(run, run.kind === 'managed' ? 'cleanup' : 'Cleanup') });",
    to:
      "await run.store.update(recordOf(run, run.kind === 'managed' ? 'cleanup' : 'Cleanup'));\n" +
      '  await run.store.update(software);',
    breaks: 'provides and the record `cleanup` are one write',
    foundBy: 'power cuts',
  },
  'store-written-in-place': {
    file: 'packages/client/src/system/linux-files.ts',
    from: 'await rename(temporary, path);\n      } catch',
    to:
      "await rm(temporary, { force: true });\n        const target = await open(path, 'w', mode);\n" +
      '        await target.writeFile(content);\n        await target.sync();\n        await target.close();\n' +
      '        void rename;\n      } catch',
    breaks: 'the store is the old one or the new one, never half of it',
    foundBy: 'power cuts',
    // Else ext4 makes a file's truncation and what is then written to it and flushed one transaction of its journal.
    dataMount: 'sync',
  },
  'store-not-flushed': {
    file: 'packages/client/src/system/linux-files.ts',
    from: 'await file.writeFile(content);\n          await file.sync();',
    to: 'await file.writeFile(content);',
    breaks: 'a file has its content before it has its name',
    foundBy: 'power cuts',
  },
  'directory-not-flushed': {
    file: 'packages/client/src/system/linux-files.ts',
    from: 'await syncDirectory(dirname(path), operations);\n    },\n\n    async removeDurably',
    to: '},\n\n    async removeDurably',
    breaks: 'a record is durable when its saving resolves',
    foundBy: 'power cuts',
  },
  'environment-not-flushed': {
    file: `${environment}/environment-copies.ts`,
    from: 'await handle.sync();\n  });\n}\n\nasync function ensureFile',
    to: '});\n}\n\nasync function ensureFile',
    breaks: 'a copy of the environment is on the medium before the other one is touched',
    foundBy: 'power cuts',
    device: 'u-boot',
  },
  'good-copy-overwritten': {
    file: `${environment}/u-boot-two-copies.ts`,
    from: 'await writeProven(before.index === 0 ? 1 : 0, bytes);\n        await writeProven(before.index, bytes);',
    to: 'await Promise.all([writeProven(before.index === 0 ? 1 : 0, bytes), writeProven(before.index, bytes)]);',
    breaks: 'the copy that counts is written only after the other one is whole',
    foundBy: 'power cuts',
    device: 'u-boot-two-copies',
  },
  'grub-lock-ignored': {
    file: `${environment}/grub-environment.ts`,
    from: "await files.overwrite(copy.lock, withEditing(unlocked, '1'));\n",
    to: '',
    breaks: 'GRUB knows of a copy that was being written',
    foundBy: 'power cuts',
    device: 'grub',
  },
  'grub-lock-not-flushed': {
    file: `${environment}/grub-files.ts`,
    from: 'await file.sync();\n      } finally',
    to: '} finally',
    breaks: 'each step of writing an environment of GRUB is on the medium before the next',
    foundBy: 'power cuts',
    device: 'grub',
  },
  'read-back-removed': {
    file: `${rootfs}/write-image.ts`,
    from: 'if (found === sha256) return;',
    to: 'if (found !== undefined) return;',
    breaks: 'a write that the medium dropped is found out before the boot flag is turned',
    foundBy: 'faulty media',
  },
  'read-back-through-the-cache': {
    file: 'packages/client/src/system/past-cache.ts',
    from: 'accesses[access] | constants.O_DIRECT)',
    to: 'accesses[access])',
    breaks: 'what is read back comes from the medium, not from memory',
    foundBy: 'faulty media',
  },
  'failed-flush-swallowed': {
    file: `${rootfs}/write-image.ts`,
    from: 'await file.sync();\n    return written;',
    to: 'await file.sync().catch(() => undefined);\n    return written;',
    breaks: 'a failed flush is a failed installation',
    foundBy: 'faulty media',
  },
} as const satisfies Record<string, Mutant>;

const choice = 'packages/image/support/grub-efi/choose.cfg';

/** Faults of the bootloader's own configuration; they were named with the rest, and their places found when it was there. */
export const bootloaderMutants = {
  'grub-trial-not-counted': {
    file: choice,
    from: 'set bootcount=1\n      save\n',
    to: 'set bootcount=1\n',
    breaks: 'a trial boot is counted, and what cannot be counted is not tried',
    foundBy: 'power cuts',
    device: 'grub',
  },
  'grub-edited-copy-believed': {
    file: choice,
    from: 'if [ "$editing" = 0 ]; then true; else false; fi',
    to: 'true',
    breaks: 'GRUB does not believe a copy whose lock says that it was being written',
    foundBy: 'power cuts',
    device: 'grub',
  },
  'grub-rollback-not-saved': {
    file: choice,
    from: 'set upgrade_available=0\n      set bootcount=0\n      save\n',
    to: 'set upgrade_available=0\n      set bootcount=0\n',
    breaks: 'what GRUB has gone back to, it boots from then on',
    foundBy: 'power cuts',
    device: 'grub',
  },
} as const satisfies Record<string, Mutant>;
