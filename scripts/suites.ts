/**
 * The test suites: what each runs, how long it may take, what it needs beside Node. `npm test` runs those marked `everywhere`
 * (they need only e2fsprogs); `npm run test:all` runs all. Budgets are seconds on two cores; a suite is ended at twice its budget.
 */
export interface Suite {
  readonly files: string;
  readonly budgetSeconds: number;
  readonly everywhere: boolean;
  readonly needs: readonly (keyof typeof programs)[];
}

/** Programs by the file that proves them, with the Debian package that brings them. */
export const programs = {
  'mkfs.ext4': { paths: ['/usr/sbin/mkfs.ext4', '/sbin/mkfs.ext4'], package: 'e2fsprogs' },
  debugfs: { paths: ['/usr/sbin/debugfs', '/sbin/debugfs'], package: 'e2fsprogs' },
  fw_printenv: { paths: ['/usr/bin/fw_printenv', '/sbin/fw_printenv'], package: 'libubootenv-tool' },
  'mender-artifact': { paths: ['/usr/bin/mender-artifact'], package: 'mender-artifact' },
  mender: { paths: ['/usr/bin/mender'], package: 'mender-client' },
  'mender-cli': { paths: ['/usr/bin/mender-cli'], package: 'mender-cli' },
  mcopy: { paths: ['/usr/bin/mcopy'], package: 'mtools' },
  zstd: { paths: ['/usr/bin/zstd'], package: 'zstd' },
  xz: { paths: ['/usr/bin/xz'], package: 'xz-utils' },
  postgres: {
    paths: [15, 16, 17, 18].map((version) => `/usr/lib/postgresql/${String(version)}/bin/postgres`),
    package: 'postgresql',
  },
  'swift-proxy-server': { paths: ['/usr/bin/swift-proxy-server'], package: 'swift-proxy' },
  'swift-account-server': { paths: ['/usr/bin/swift-account-server'], package: 'swift-account' },
  'swift-container-server': { paths: ['/usr/bin/swift-container-server'], package: 'swift-container' },
  'swift-object-server': { paths: ['/usr/bin/swift-object-server'], package: 'swift-object' },
  unshare: { paths: ['/usr/bin/unshare'], package: 'util-linux' },
  mount: { paths: ['/usr/bin/mount', '/bin/mount'], package: 'mount' },
  memcached: { paths: ['/usr/bin/memcached'], package: 'memcached' },
  jq: { paths: ['/usr/bin/jq'], package: 'jq' },
  mmdebstrap: { paths: ['/usr/bin/mmdebstrap'], package: 'mmdebstrap' },
  'systemd-analyze': { paths: ['/usr/bin/systemd-analyze'], package: 'systemd' },
  'grub-editenv': { paths: ['/usr/bin/grub-editenv'], package: 'grub-common' },
  'dbus-daemon': { paths: ['/usr/bin/dbus-daemon'], package: 'dbus-daemon' },
  'dbus-send': { paths: ['/usr/bin/dbus-send'], package: 'dbus-bin' },
  'mender-connect': { paths: ['/usr/bin/mender-connect'], package: 'mender-connect' },
  'softhsm2-util': { paths: ['/usr/bin/softhsm2-util'], package: 'softhsm2' },
  'pkcs11-tool': { paths: ['/usr/bin/pkcs11-tool'], package: 'opensc' },
  sshd: { paths: ['/usr/sbin/sshd'], package: 'openssh-server' },
  ssh: { paths: ['/usr/bin/ssh'], package: 'openssh-client' },
  tinyproxy: { paths: ['/usr/bin/tinyproxy'], package: 'tinyproxy' },
  mdb_load: { paths: ['/usr/bin/mdb_load'], package: 'lmdb-utils' },
  newuidmap: { paths: ['/usr/bin/newuidmap'], package: 'uidmap' },
  sfdisk: { paths: ['/usr/sbin/sfdisk', '/sbin/sfdisk'], package: 'fdisk' },
  'mkfs.vfat': { paths: ['/usr/sbin/mkfs.vfat', '/sbin/mkfs.vfat'], package: 'dosfstools' },
  fsfreeze: { paths: ['/usr/sbin/fsfreeze', '/sbin/fsfreeze'], package: 'util-linux' },
  losetup: { paths: ['/usr/sbin/losetup', '/sbin/losetup'], package: 'mount' },
  script: { paths: ['/usr/bin/script'], package: 'bsdutils' },
  curl: { paths: ['/usr/bin/curl'], package: 'curl' },
  'qemu-system-x86_64': { paths: ['/usr/bin/qemu-system-x86_64'], package: 'qemu-system-x86' },
  'qemu-system-aarch64': { paths: ['/usr/bin/qemu-system-aarch64'], package: 'qemu-system-arm' },
  'u-boot': { paths: ['/usr/lib/u-boot/qemu_arm64/u-boot.bin'], package: 'u-boot-qemu' },
  'qemu-storage-daemon': { paths: ['/usr/bin/qemu-storage-daemon'], package: 'qemu-system-common' },
  'qemu-img': { paths: ['/usr/bin/qemu-img'], package: 'qemu-utils' },
  'linux.uml': { paths: ['/usr/bin/linux.uml'], package: 'user-mode-linux' },
  slirp: { paths: ['/usr/bin/slirp-fullbolt'], package: 'slirp' },
  busybox: { paths: ['/bin/busybox'], package: 'busybox-static' },
  'grub-emu': { paths: ['/usr/bin/grub-emu'], package: 'grub-emu' },
  OVMF: { paths: ['/usr/share/OVMF/OVMF_CODE_4M.fd'], package: 'ovmf' },
  'grub-mkimage': { paths: ['/usr/bin/grub-mkimage'], package: 'grub-common' },
  'grub-efi': { paths: ['/usr/lib/grub/x86_64-efi/normal.mod'], package: 'grub-efi-amd64-bin' },
  chromium: { paths: ['/usr/bin/chromium'], package: 'chromium' },
} as const;

// prettier-ignore
export const suites = {
  scripts:            { files: 'scripts/**/*.test.ts',                       budgetSeconds: 10,  everywhere: true,  needs: [] },
  artifact:           { files: 'packages/artifact/src/**/*.test.ts',         budgetSeconds: 60,  everywhere: true,  needs: [] },
  'artifact-cli':     { files: 'packages/artifact-cli/src/**/*.test.ts',     budgetSeconds: 60,  everywhere: true,  needs: ['debugfs'] },
  api:                { files: 'packages/api/src/**/*.test.ts',              budgetSeconds: 20,  everywhere: true,  needs: [] },
  'boot-environment': { files: 'packages/boot-environment/src/**/*.test.ts', budgetSeconds: 30,  everywhere: true,  needs: [] },
  server:             { files: 'packages/server/src/**/*.test.ts',           budgetSeconds: 120, everywhere: true,  needs: [] },
  client:             { files: 'packages/client/src/**/*.test.ts',           budgetSeconds: 90,  everywhere: true,  needs: [] },
  web:                { files: 'packages/web/src/**/*.test.ts',              budgetSeconds: 20,  everywhere: true,  needs: [] },
  simulator:          { files: 'packages/simulator/src/**/*.test.ts',        budgetSeconds: 60,  everywhere: true,  needs: [] },
  image:              { files: 'packages/image/src/**/*.test.ts',            budgetSeconds: 60,  everywhere: true,  needs: ['mkfs.ext4', 'debugfs'] },
  demo:               { files: 'packages/demo/src/**/*.test.ts',             budgetSeconds: 30,  everywhere: true,  needs: ['mkfs.ext4', 'debugfs'] },
  'e2e-demo':         { files: 'e2e/demo/**/*.test.ts',                      budgetSeconds: 180, everywhere: true,  needs: ['mkfs.ext4', 'debugfs'] },
  long:               { files: '{packages/*/src,e2e/demo}/**/*.long-test.ts', budgetSeconds: 200, everywhere: false, needs: ['mkfs.ext4', 'debugfs'] },
  'server-postgres':  { files: 'packages/server/src/**/*.postgres-test.ts',  budgetSeconds: 300, everywhere: false, needs: ['postgres'] },
  'server-s3':        { files: 'packages/server/src/**/*.s3-test.ts',        budgetSeconds: 300, everywhere: false, needs: ['swift-proxy-server', 'swift-account-server', 'swift-container-server', 'swift-object-server', 'memcached'] },
  'server-full-disk': { files: 'packages/server/src/**/*.disk-test.ts',      budgetSeconds: 60,  everywhere: false, needs: ['unshare', 'mount'] },
  'e2e-packaging':    { files: 'e2e/packaging/**/*.test.ts',                 budgetSeconds: 240, everywhere: false, needs: ['mmdebstrap', 'systemd-analyze'] },
  'e2e-image':        { files: 'e2e/image/**/*.test.ts',                     budgetSeconds: 500, everywhere: false, needs: ['mmdebstrap', 'newuidmap', 'unshare', 'sfdisk', 'mkfs.vfat', 'mcopy', 'mkfs.ext4', 'debugfs'] },
  'e2e-browser':      { files: 'e2e/browser/**/*.test.ts',                   budgetSeconds: 240, everywhere: false, needs: ['mkfs.ext4', 'debugfs', 'chromium'] },
  'e2e-compatibility':{ files: 'e2e/compatibility/{artifact,boot,server}*.test.ts', budgetSeconds: 400, everywhere: false, needs: ['fw_printenv', 'mender-artifact', 'mender', 'mender-cli', 'mcopy', 'zstd', 'xz', 'jq', 'grub-editenv', 'dbus-daemon', 'dbus-send', 'curl', 'softhsm2-util', 'pkcs11-tool', 'sshd', 'ssh'] },
  'e2e-client':       { files: 'e2e/compatibility/{client,command,migration,setup,snapshot,update}*.test.ts', budgetSeconds: 500, everywhere: false, needs: ['fw_printenv', 'mender-artifact', 'mender', 'mender-connect', 'zstd', 'xz', 'jq', 'dbus-daemon', 'dbus-send', 'softhsm2-util', 'pkcs11-tool', 'tinyproxy', 'mdb_load', 'fsfreeze', 'losetup', 'script'] },
  'e2e-qemu':         { files: 'e2e/qemu/{machine,grub}/**/*.test.ts',       budgetSeconds: 420, everywhere: false, needs: ['qemu-system-x86_64', 'qemu-img', 'OVMF', 'grub-mkimage', 'grub-efi', 'mkfs.vfat', 'sfdisk', 'mcopy', 'mmdebstrap'] },
  'e2e-qemu-arm64':   { files: 'e2e/qemu/u-boot/**/*.test.ts',               budgetSeconds: 420, everywhere: false, needs: ['qemu-system-aarch64', 'qemu-img', 'u-boot', 'mkfs.vfat', 'sfdisk', 'mcopy'] },
  'e2e-power-cuts':   { files: 'e2e/power-cuts/power-cuts.test.ts',          budgetSeconds: 280, everywhere: false, needs: ['linux.uml', 'slirp', 'busybox', 'qemu-storage-daemon', 'grub-emu', 'mkfs.ext4', 'mkfs.vfat', 'mcopy', 'unshare', 'losetup', 'mount'] },
  'e2e-faulty-media': { files: 'e2e/power-cuts/faulty-media.test.ts',        budgetSeconds: 60,  everywhere: false, needs: ['qemu-storage-daemon', 'losetup', 'unshare', 'mkfs.ext4', 'mender', 'fw_printenv'] },
} as const satisfies Record<string, Suite>;
