################################################################################
#
# tandem-client
#
################################################################################

TANDEM_CLIENT_VERSION = 0.1.0
TANDEM_CLIENT_SOURCE = tandem-client-$(TANDEM_CLIENT_VERSION).tar.gz
TANDEM_CLIENT_SITE = $(call qstrip,$(BR2_PACKAGE_TANDEM_CLIENT_DIRECTORY))
TANDEM_CLIENT_SITE_METHOD = file
TANDEM_CLIENT_LICENSE = Apache-2.0
TANDEM_CLIENT_LICENSE_FILES = share/doc/tandem-client/LICENSE
TANDEM_CLIENT_DEPENDENCIES = nodejs

# Scripts for Node and the shell. The units of systemd are among them, where systemd looks for them.
define TANDEM_CLIENT_INSTALL_TARGET_CMDS
	cp -dR --preserve=mode,links $(@D)/bin $(@D)/lib $(@D)/share $(TARGET_DIR)/usr/
endef

define TANDEM_CLIENT_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(TANDEM_CLIENT_PKGDIR)/S90tandem-client \
		$(TARGET_DIR)/etc/init.d/S90tandem-client
endef

$(eval $(generic-package))
