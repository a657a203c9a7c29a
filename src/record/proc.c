/* SPDX-License-Identifier: MIT
 * Reading /proc; see proc.h.
 */
#include "record/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

size_t kp_proc_read(const char *path, char *data, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	while (len < cap && (n = read(fd, data + len, cap - len)) > 0)
		len += (size_t)n;
	close(fd);
	return len;
}

bool kp_proc_stat(const char *path, struct kp_proc_stat *ret)
{
	char text[2048], *open_paren, *close_paren;
	size_t len = kp_proc_read(path, text, sizeof(text) - 1), name_len;
	uint64_t start_ticks;

	text[len] = '\0';
	open_paren = strchr(text, '(');
	close_paren = strrchr(text, ')'); /* the name may hold anything */
	if (!open_paren || !close_paren || close_paren < open_paren)
		return false;
	*ret = (struct kp_proc_stat){.state = '?'};
	name_len = (size_t)(close_paren - open_paren - 1);
	memcpy(ret->comm, open_paren + 1, name_len < KP_COMM_LEN ? name_len : KP_COMM_LEN - 1);
	/* Fields 3, 4, 9, 22 and 47. */
	if (sscanf(close_paren + 1,
		   " %c %u %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
		   "%" SCNu64
		   " %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %*d "
		   "%*d %*u %*u %*u %*d %*u %*u %" SCNu64,
		   &ret->state, &ret->ppid, &ret->flags, &start_ticks, &ret->start_brk) != 5)
		return false;
	ret->start_ns = start_ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	return true;
}

void kp_proc_each_number(const char *path, void (*fn)(const char *path, uint32_t number, void *arg),
			 void *arg)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			fn(path, (uint32_t)strtoul(entry->d_name, NULL, 10), arg);
	closedir(dir);
}
