/* SPDX-License-Identifier: MIT
 * Who am I: process, user and group numbers, sessions.
 */
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "show.h"

int main(void)
{
	gid_t groups[64];
	uid_t r, e, s;
	int n;

	TRY(getpid());
	TRY(getppid());
	TRY(syscall(SYS_gettid));
	TRY(getuid());
	TRY(geteuid());
	TRY(getgid());
	TRY(getegid());
	TRY(getresuid(&r, &e, &s));
	printf("%u %u %u\n", r, e, s);
	n = TRY(getgroups(64, groups));
	for (int i = 0; i < n; i++)
		printf("group %u\n", groups[i]);
	TRY(getpgrp());
	TRY(getpgid(0));
	TRY(getsid(0));
	TRY(setpgid(0, 0));
	TRY(setsid());
	TRY(getpgrp());
	TRY(setfsuid(1234));
	TRY(setfsuid((uid_t)-1));
	TRY(setgroups(0, NULL));
	TRY(setresgid(65534, 65534, 65534));
	TRY(setuid(65534));
	TRY(getuid());
	TRY(setuid(0));
	return 0;
}
