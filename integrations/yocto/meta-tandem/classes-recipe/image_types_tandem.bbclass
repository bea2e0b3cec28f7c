# Image type "tandem": a disk image with two root file systems, and the artifacts that update it, made by tandem-image.
#
#   IMAGE_CLASSES += "image_types_tandem"
#   IMAGE_FSTYPES = "tandem"
#   TANDEM_BOARD = "/path/of/my-board.json"
#   TANDEM_ARTIFACT_NAME = "release-1"
#
# leaves ARTIFACT-DEVICETYPE.img, .mender and .bootstrap.mender in the deploy directory. Paths are absolute.

# A board file, or the name of one that comes with tandem-image.
TANDEM_BOARD ??= ""
# A new one for each release.
TANDEM_ARTIFACT_NAME ??= ""
TANDEM_SERVER_URL ??= ""
# Certificate of the server, or of its authority.
TANDEM_SERVER_CERTIFICATE ??= ""
# Public key that the device takes artifacts by, and the private one that they are signed with here.
TANDEM_VERIFY_KEY ??= ""
TANDEM_SIGNING_KEY ??= ""
# Whatever else `tandem-image build --help` knows.
TANDEM_ARGUMENTS ??= ""

# The kernel and its device trees are started from /boot of the root file system, so that an update brings them too.
IMAGE_INSTALL:append = " tandem-client kernel-image kernel-devicetree"

IMAGE_CMD:tandem () {
    if [ -z "${TANDEM_BOARD}" ]; then bbfatal "the image type tandem needs TANDEM_BOARD"; fi
    if [ -z "${TANDEM_ARTIFACT_NAME}" ]; then bbfatal "the image type tandem needs TANDEM_ARTIFACT_NAME"; fi
    set -- --board "${TANDEM_BOARD}" --artifact-name "${TANDEM_ARTIFACT_NAME}" --root "${IMAGE_ROOTFS}"
    set -- "$@" --output-directory "${IMGDEPLOYDIR}" --work-directory "${WORKDIR}"
    if [ -n "${TANDEM_SERVER_URL}" ]; then set -- "$@" --server-url "${TANDEM_SERVER_URL}"; fi
    if [ -n "${TANDEM_SERVER_CERTIFICATE}" ]; then set -- "$@" --server-certificate "${TANDEM_SERVER_CERTIFICATE}"; fi
    if [ -n "${TANDEM_VERIFY_KEY}" ]; then set -- "$@" --verify-key "${TANDEM_VERIFY_KEY}"; fi
    if [ -n "${TANDEM_SIGNING_KEY}" ]; then set -- "$@" --key "${TANDEM_SIGNING_KEY}"; fi
    tandem-image build "$@" ${TANDEM_ARGUMENTS}
}

do_image_tandem[depends] += " \
    dosfstools-native:do_populate_sysroot \
    e2fsprogs-native:do_populate_sysroot \
    mtools-native:do_populate_sysroot \
    util-linux-native:do_populate_sysroot \
    virtual/kernel:do_deploy \
"
# Another key or board is another image.
do_image_tandem[vardeps] += "TANDEM_BOARD TANDEM_ARTIFACT_NAME TANDEM_SERVER_URL TANDEM_SERVER_CERTIFICATE TANDEM_VERIFY_KEY TANDEM_SIGNING_KEY TANDEM_ARGUMENTS"
do_image_tandem[file-checksums] += "${@' '.join('%s:True' % path for path in (d.getVar(name) for name in ('TANDEM_BOARD', 'TANDEM_SERVER_CERTIFICATE', 'TANDEM_VERIFY_KEY', 'TANDEM_SIGNING_KEY')) if path and path.startswith('/'))}"
