/**
 * The first process of the small device, part of both its root file systems; `/bin/busybox` runs it. Mounts what fstab of our images has
 * mounted, runs the client as its daemon until it reboots or someone types a line at the console, and goes down. What the kernel's
 * command line names and the kernel does not know is in its environment: `device` (a directory of this machine with the device's
 * configuration), `node`, `client`, `data_options` and `disks`.
 *
 * Node and its libraries are this machine's, seen through hostfs: a root file system of four megabytes has no place for them.
 */
export const systemScript = `#!/bin/busybox sh
export PATH=/sbin:/bin:/usr/sbin:/usr/bin
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t tmpfs tmpfs /tmp
busybox mount -t hostfs -o ro,/ host /host
busybox mount --bind /host/usr /usr
down() { echo "device: $1"; busybox umount /boot/efi /data 2> /dev/null; busybox poweroff -f; }
if [ -e /etc/unwell ]; then down reboots; fi

modules=/usr/lib/uml/modules/$(busybox uname -r)/kernel
for module in drivers/block/virtio_blk fs/nls/nls_cp437 fs/nls/nls_iso8859-1 fs/nls/nls_ascii fs/fat/fat fs/fat/vfat; do
  busybox insmod $modules/$module.ko
done
# The disks have the names of a memory card and its partitions, which are numbered. All keep writes in a cache until they are flushed.
for pair in $(echo $disks | busybox tr , ' '); do
  disk=/sys/block/\${pair#*:}
  busybox mknod /dev/\${pair%:*} b $(busybox tr : ' ' < $disk/dev)
  if [ -e $disk/cache_type ]; then echo 'write back' > $disk/cache_type; fi
done
busybox mount -t ext4 -o $data_options /dev/mmcblk0p4 /data || down 'cannot mount data'
busybox mount -t vfat -o umask=0077 /dev/mmcblk0p1 /boot/efi || down 'cannot mount boot'
busybox ip link set lo up
busybox ip address add 10.0.2.15/24 dev eth0
busybox ip link set eth0 up
busybox ip route add default via 10.0.2.2

export MENDER_CONF_DIR=/host$device/etc MENDER_DATA_DIR=/host$device/share MENDER_DATASTORE_DIR=/data/mender
export TANDEM_FW_ENV_CONFIG=/host$device/etc/fw_env.config TANDEM_GRUB_LOCK=/tmp/grub.lock
export TANDEM_GRUB_ENV_CONFIG=/host$device/etc/mender_grubenv.config
/host$node /host$client daemon < /dev/null &
echo $! > /tmp/client.pid
(read -r _ < /dev/console; kill $(busybox cat /tmp/client.pid)) &
wait $(busybox cat /tmp/client.pid)
if [ -e /tmp/rebooting ]; then down reboots; else down ends; fi
`;

/** Says something to the witness, a disk of its own, and goes on when it has been heard. */
const witness = (words: string) =>
  `echo "${words}" | /bin/busybox dd of=/dev/witness bs=512 conv=sync,fsync status=none`;

/** A state script that only says that its state has come. */
export const stateScript = `#!/bin/busybox sh
name=\${0##*/}
${witness('script ${name%_*}')}
`;

/** What the client calls. It is ended at once, as the device would be. */
export const rebootScript = `#!/bin/busybox sh
${witness('asks for a reset')}
busybox touch /tmp/rebooting
kill -9 $(busybox cat /tmp/client.pid)
`;
