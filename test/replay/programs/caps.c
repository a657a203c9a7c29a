/* SPDX-License-Identifier: MIT
 * Capabilities and keys.
 */
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	char buf[128] = "";
	long ring;

	TRY(syscall(SYS_capget, &h, d));
	printf("%x %x %x %x\n", d[0].effective, d[0].permitted, d[0].inheritable, d[1].effective);
	h.version = 1;
	TRY(syscall(SYS_capget, &h, NULL));
	printf("version %x\n", h.version);
	ring = TRY(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1));
	if (ring > 0) {
		TRY(syscall(SYS_add_key, "user", "kp:test", "secret", 6L, ring));
		TRY(syscall(SYS_keyctl, KEYCTL_SEARCH, ring, "user", "kp:test", 0));
		TRY(syscall(SYS_keyctl, KEYCTL_DESCRIBE, ring, buf, sizeof(buf)));
		printf("[%s]\n", buf);
	}
	return 0;
}
