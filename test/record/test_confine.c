/* SPDX-License-Identifier: MIT
 * What a confined recorder cannot do any more; in processes of their own, since there is no way
 * back.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/confine.h"

static bool is_denied(long result)
{
	return result < 0 && errno == EPERM;
}

static void *make_socket(void *arg)
{
	*(bool *)arg = is_denied(socket(AF_INET, SOCK_STREAM, 0));
	return NULL;
}

/* Bit 1 << n: the nth expectation does not hold. */
static int try_all(const char *dir)
{
	char *const argv[] = {"/bin/true", NULL};
	struct kp_err err;
	bool in_thread = false;
	pthread_t thread;
	int nr, wrong;

	if (kp_confine(dir, &err) < 0)
		return 1;
	wrong = is_denied(fork()) ? 0 : 2;
	wrong |= is_denied(execv(argv[0], argv)) ? 0 : 4;
	wrong |= is_denied(socket(AF_INET, SOCK_STREAM, 0)) ? 0 : 8;
	wrong |= socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? 0 : 16;
	if (pthread_create(&thread, NULL, make_socket, &in_thread) || pthread_join(thread, NULL))
		wrong |= 32;
	wrong |= in_thread ? 0 : 64;
	wrong |= kp_confine_refused(&nr) == 4 ? 0 : 128;
	return wrong;
}

Test(confine, refuses_and_counts)
{
	char dir[] = "/tmp/kprobe-confine-XXXXXX";
	int status;
	pid_t pid;

	cr_assert(mkdtemp(dir));
	pid = fork();
	if (!pid)
		_exit(try_all(dir));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 0, "%x", WEXITSTATUS(status));
	rmdir(dir);
}
