import type { Board } from './board.ts';
import { ImageError } from './image-error.ts';
import type { Privileges } from './privileges.ts';

/** When programs of the board or the user are run, in this order. */
export const hookPoints = {
  afterUnpack: 'the root file system is unpacked',
  afterPackages: 'packages are installed',
  afterFiles:
    'all files of the builder and the overlays are in place; nothing changes the root file system behind this',
  beforeBoot: 'the files of the boot partition are gathered',
  afterImage: 'the image is written, under a temporary name',
} as const;
export type HookPoint = keyof typeof hookPoints;

/** What a hook is told, as variables of its environment: paths of this machine. */
export interface HookPlaces {
  readonly TANDEM_ROOT: string;
  readonly TANDEM_BOOT: string;
  readonly TANDEM_DATA: string;
  /** At afterImage only; empty before. */
  readonly TANDEM_IMAGE: string;
}

export type RunHooks = (point: HookPoint, places: HookPlaces) => Promise<void>;

/**
 * Runs the hooks of a point one after another, with owners shown as they are to be in the image; the point is their argument. Each has ten
 * minutes. Throws `ImageError` (hookFailed) with what it said.
 */
export function hookRunner(
  board: Board,
  given: readonly string[],
  privileges: Privileges,
  say: (line: string) => void,
): RunHooks {
  const more = given.map(readGiven);
  return async (point, places) => {
    const hooks = [
      ...board[`hooks.${point}`],
      ...more.flatMap(({ at, path }) => (at === point ? [path] : [])),
    ];
    for (const hook of hooks) {
      const environment = {
        ...places,
        TANDEM_BOARD: board.name,
        TANDEM_DEVICE_TYPE: board.deviceType,
        TANDEM_ARCHITECTURE: board.architecture,
      };
      await privileges.run(hook, [point], { environment, onLine: say }).catch((cause: unknown) => {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new ImageError('hookFailed', `the hook ${hook} for ${point} failed: ${reason}`, { cause });
      });
    }
  };
}

function readGiven(text: string): { at: HookPoint; path: string } {
  const [, point = '', path = ''] = /^(\w+)=(.+)$/s.exec(text) ?? [];
  if (Object.hasOwn(hookPoints, point)) return { at: point as HookPoint, path };
  const points = Object.keys(hookPoints).join(', ');
  throw new ImageError('badArguments', `--hook ${text}: say POINT=FILE, with a point of ${points}`);
}
