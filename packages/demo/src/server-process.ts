import { spawn, type ChildProcess } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import type { VirtualDevice } from '@tandem/api';
import { offerVirtualDevices } from './offer-virtual-devices.ts';
import { ownProgram } from './programs.ts';
import { runProgram } from './run-program.ts';

/** The real server as a process of its own, on loopback, with its data in one directory. */
export interface ServerProcess {
  readonly url: string;
  /** The certificate devices and people trust it by, PEM. */
  readonly certificate: string;
  /** SIGTERM, and waits for the clean end. */
  stop(): Promise<void>;
  /** The power cord: SIGKILL. */
  kill(): Promise<void>;
}

export interface ServerPlace {
  readonly dataDirectory: string;
  readonly port: number;
  /** The port devices reach it by, when something stands between; default `port`. */
  readonly publicPort?: number;
  /** The name devices know it by, for those to whom this machine is not localhost. */
  readonly publicHost?: string;
}

const readyTimeoutMs = 30_000;

/** Creates a user before the server's first start; the password goes through standard input and nowhere else. */
export async function createUser(place: ServerPlace, email: string, password: string): Promise<void> {
  const args = ['user', 'create', '--data-dir', place.dataDirectory, '--email', email, '--password-stdin'];
  await runProgram(ownProgram('tandem-server'), args, { input: `${password}\n` });
}

/**
 * Starts the server and resolves when it answers on `/health`. With `addVirtualDevice` its web interface offers devices in one
 * click; what that throws is told to whoever clicked.
 */
export async function startServer(
  place: ServerPlace,
  addVirtualDevice?: () => Promise<VirtualDevice>,
): Promise<ServerProcess> {
  const url = `https://${place.publicHost ?? 'localhost'}:${String(place.publicPort ?? place.port)}`;
  const log = await open(join(place.dataDirectory, 'console.log'), 'a');
  const child = spawn(
    ownProgram('tandem-server'),
    [
      'serve',
      '--data-dir',
      place.dataDirectory,
      '--listen',
      `127.0.0.1:${String(place.port)}`,
      '--public-url',
      url,
    ],
    {
      stdio: ['ignore', log.fd, log.fd, ...(addVirtualDevice === undefined ? [] : (['ipc'] as const))],
      detached: true,
    },
  );
  if (addVirtualDevice !== undefined) offerVirtualDevices(child, addVirtualDevice);
  await log.close();
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  const certificate = await waitUntilReady(child, place);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
      process.kill(-child.pid, signal);
    await exited;
  };
  return { url, certificate, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

async function waitUntilReady(child: ChildProcess, place: ServerPlace): Promise<string> {
  const deadline = Date.now() + readyTimeoutMs;
  for (;;) {
    const certificate = await readFile(join(place.dataDirectory, 'tls', 'ca.pem'), 'utf8').catch(
      () => undefined,
    );
    if (
      certificate !== undefined &&
      (await answers(`https://localhost:${String(place.port)}/health`, certificate))
    )
      return certificate;
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`the server did not become ready; see ${join(place.dataDirectory, 'console.log')}`);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

function answers(url: string, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request(url, { ca, timeout: 1000, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    probe.once('timeout', () => probe.destroy());
    probe.once('error', () => {
      resolve(false);
    });
    probe.end();
  });
}
