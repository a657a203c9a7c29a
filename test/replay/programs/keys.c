/* SPDX-License-Identifier: MIT
 * Keys of the kernel: made, read, described, searched.
 */
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{

	char text[128] = "";
	long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "kptest"), key;

	TRY(ring > 0);
	key = syscall(SYS_add_key, "user", "a key", "its payload", 11, ring);
	TRY(key > 0);
	TRY(syscall(SYS_keyctl, KEYCTL_READ, key, text, 5));
	printf("%.5s\n", text);
	TRY(syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text));
	printf("%s\n", text);
	TRY(syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, text, sizeof text));
	printf("%s\n", text);
	TRY(syscall(SYS_keyctl, KEYCTL_SEARCH, ring, "user", "a key", 0) == key);
	TRY(syscall(SYS_request_key, "user", "no such key", NULL, 0));
	TRY(syscall(SYS_keyctl, KEYCTL_REVOKE, key));
	return 0;
}
