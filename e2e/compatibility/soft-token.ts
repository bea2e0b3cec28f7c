import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A PKCS#11 token in software, for keys that no program can read out: what hardware is to a device. */
export interface SoftToken {
  /** What programs need to reach it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of the PKCS#11 library. */
  readonly module: string;
  readonly label: string;
  readonly pin: string;
  /** Makes a key in it, as `pkcs11-tool` calls its type. */
  makeKey(label: string, id: string, type: string): void;
  /** Its public key, DER. */
  publicKey(label: string): Buffer;
}

const softHsm = '/usr/lib/softhsm/libsofthsm2.so';

export async function makeSoftToken(directory: string): Promise<SoftToken> {
  const tokens = join(directory, 'tokens');
  await mkdir(tokens);
  const config = join(directory, 'softhsm2.conf');
  await writeFile(
    config,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  const environment = { SOFTHSM2_CONF: config, PKCS11_MODULE_PATH: softHsm };
  const [label, pin] = ['device', '648219'];
  const run = (program: string, ...words: readonly string[]): Buffer =>
    execFileSync(program, words, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const tool = (...words: readonly string[]): Buffer =>
    run(
      '/usr/bin/pkcs11-tool',
      '--module',
      softHsm,
      '--login',
      '--pin',
      pin,
      '--token-label',
      label,
      ...words,
    );
  run('/usr/bin/softhsm2-util', '--init-token', '--free', '--label', label, '--so-pin', '0000', '--pin', pin);
  return {
    environment,
    module: softHsm,
    label,
    pin,
    makeKey: (name, id, type) => {
      tool('--keypairgen', '--key-type', type, '--label', name, '--id', id);
    },
    publicKey: (name) => tool('--read-object', '--type', 'pubkey', '--label', name),
  };
}
