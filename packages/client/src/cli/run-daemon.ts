import { ClientError } from '../client-error.ts';
import { createDaemon } from '../daemon/create-daemon.ts';
import { collectInventory } from '../inventory/collect-inventory.ts';
import { intervalAttributes } from '../inventory/interval-attributes.ts';
import { showProvides } from '../standalone/show-artifact.ts';
import { sessionsOfDaemon } from './authentication-commands.ts';
import { compressionsOf } from './available-decompressors.ts';
import {
  deploymentNeeds,
  networkOf,
  serverConnectionOf,
  serversOf,
  type ClientGround,
} from './client-parts.ts';
import { type ParsedArguments } from './parse-arguments.ts';

export interface DaemonSurroundings {
  readonly onSignal: (signal: NodeJS.Signals, listener: () => void) => void;
  readonly signal: AbortSignal;
}

/** Managed mode: until the signal aborts or, with `--once`, until there is nothing left to do. */
export async function runDaemon(
  ground: ClientGround,
  parsed: ParsedArguments,
  { onSignal, signal }: DaemonSurroundings,
): Promise<number> {
  const { system, paths, configuration, version } = ground;
  if (serversOf(configuration).length === 0) {
    throw new ClientError('commandLine', 'Cannot run in daemon mode with no server URL specified');
  }
  const needs = await deploymentNeeds(ground);
  if (needs.verificationKeys.length === 0) {
    system.log('warning', 'No ArtifactVerifyKey is set: artifacts are installed whoever made them.');
  }
  const once = parsed.options.has('once');
  const network = await networkOf(ground);
  const sessions = await sessionsOfDaemon(ground, network, once ? 'once' : 'resident', signal);
  const daemon = createDaemon({
    ...needs,
    server: serverConnectionOf(ground, network, sessions),
    inventory: async (inventorySignal) => {
      const provides = (await showProvides(needs, inventorySignal)).map(splitProvide);
      const known = {
        ...Object.fromEntries(provides),
        device_type: await needs.deviceType(),
        mender_client_version: version,
        artifact_compressions: compressionsOf(needs.decompressors),
        ...intervalAttributes(configuration),
      };
      return await collectInventory(system, paths.inventoryScripts, known, inventorySignal);
    },
    schedule: {
      updatePollIntervalMs: configuration.UpdatePollIntervalSeconds * 1000,
      inventoryPollIntervalMs: configuration.InventoryPollIntervalSeconds * 1000,
      retryPollIntervalMs: configuration.RetryPollIntervalSeconds * 1000,
      retryPollCount: configuration.RetryPollCount,
    },
  });
  onSignal('SIGUSR1', () => {
    daemon.checkForDeployment();
  });
  onSignal('SIGUSR2', () => {
    daemon.sendInventory();
  });
  if (once) await daemon.runOnce(signal);
  else await daemon.run(signal);
  return 0;
}

function splitProvide(line: string): [string, string] {
  const equals = line.indexOf('=');
  return [line.slice(0, equals), line.slice(equals + 1)];
}
