// SPDX-License-Identifier: Apache-2.0
/*
 * The sandbox cannot start a kernel of arm64. This stands in for the command that would: it says what it was asked to start, and ends
 * the process, as a kernel that runs never comes back.
 */
#include <common.h>
#include <command.h>
#include <env.h>
#include <os.h>

static int say_what_boots(struct cmd_tbl *cmdtp, int flag, int argc, char *const argv[])
{
	printf("BOOTI part=%s kernel=%s initrd=%s bootargs=%s\n", env_get("tandem_part"), env_get("tandem_kernel"),
	       env_get("tandem_initrd"), env_get("bootargs"));
	os_exit(0);
	return 0;
}

U_BOOT_CMD(booti, 4, 0, say_what_boots, "say what would be started", "kernel ramdisk device-tree");
