SUMMARY = "Over-the-air software update for embedded Linux: the device client"
DESCRIPTION = "Installs updates on a device, by hand or as a server says, and goes back to what was before when one fails. It speaks the interfaces of Mender and stands in for its client."
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://share/doc/tandem-client/LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"

FILESEXTRAPATHS:prepend := "${TANDEM_CLIENT_DIRECTORY}:"
SRC_URI = "file://${BP}.tar.gz"

inherit allarch features_check systemd

REQUIRED_DISTRO_FEATURES = "systemd usrmerge"

# Scripts for Node and the shell: there is nothing to configure or compile.
do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${prefix}
    cp -R --no-dereference --preserve=mode,links,timestamps ${S}/. ${D}${prefix}/
}

FILES:${PN} += "${prefix}"

SYSTEMD_SERVICE:${PN} = "mender-updated.service"

RDEPENDS:${PN} = "nodejs"
# Compressed artifacts of kinds that Node does not read, and servers with certificates of public authorities.
RRECOMMENDS:${PN} = "ca-certificates xz zstd"

TANDEM_STANDS_IN_FOR = "mender-client mender-auth mender-update mender-setup mender-snapshot mender-flash"
RPROVIDES:${PN} = "${TANDEM_STANDS_IN_FOR}"
RREPLACES:${PN} = "${TANDEM_STANDS_IN_FOR}"
RCONFLICTS:${PN} = "${TANDEM_STANDS_IN_FOR}"
