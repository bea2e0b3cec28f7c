import type { Board } from './board.ts';
import { elfArchitecture, kernelArchitecture } from './executable-format.ts';
import { ImageError } from './image-error.ts';
import type { RootTree } from './root-tree.ts';

const headerBytes = 4096;
/** As distributions name kernels below /boot. */
const kernelName = /^(vmlinuz|vmlinux|kernel|Image|zImage|bzImage|uImage)([-_.].*)?$/;

/**
 * Holds the root file system to the board: that it is one, for its processor, with a kernel that is too. Throws `ImageError` (badSource, noKernel,
 * wrongArchitecture).
 */
export async function inspectRoot(root: RootTree, board: Board, from: string): Promise<void> {
  const shell = await root.readBytes('/bin/sh', headerBytes);
  if (shell === undefined || !(await root.exists('/etc')))
    throw new ImageError('badSource', `${from} is no root file system: it has no /bin/sh or no /etc`);
  const programs = elfArchitecture(shell);
  if (programs !== undefined && programs !== board.architecture)
    throw wrong(`the programs of ${from} are for ${programs}`, board);
  const kernels = (await root.list('/boot')).filter((name) => kernelName.test(name));
  if (kernels.length === 0) {
    throw new ImageError(
      'noKernel',
      `${from} has no kernel: /boot holds ${(await root.list('/boot')).join(', ') || 'nothing'}. Install one where it is made, as the package ` +
        `linux-image-${board.architecture}`,
    );
  }
  for (const name of kernels) {
    const header = await root.readBytes(`/boot/${name}`, headerBytes);
    const kernel = header === undefined ? undefined : kernelArchitecture(header);
    if (kernel !== undefined && kernel !== board.architecture)
      throw wrong(`the kernel /boot/${name} of ${from} is for ${kernel}`, board);
  }
}

const wrong = (what: string, board: Board): ImageError =>
  new ImageError(
    'wrongArchitecture',
    `${what}, and the board ${board.name} is ${board.architecture}; choose another board or root file system`,
  );
