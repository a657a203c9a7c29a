/* SPDX-License-Identifier: MIT
 * CPU quotas of cgroups; see quotas.h.
 */
#include "record/quotas.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/cgroups.h"

#define TEXT_MAX 1024
#define WALK_COST 2048               /* of a turn: 1 for each entry of a folder … */
#define FOLDER_COST 32               /* … and this to go into one */
#define LOOKS 8                      /* at groups, in a turn */
#define LOOK_NS 1000000000ull        /* at the same group again */
#define WALK_AGAIN_NS 10000000000ull /* after the end of a walk */
#define NS_PER_US 1000

/* --- files of cgroupfs --- */

static bool read_text(int fd, char *text)
{
	ssize_t len = pread(fd, text, TEXT_MAX - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	return len > 0;
}

static bool read_at(int dir, const char *name, char *text)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_read = fd >= 0 && read_text(fd, text);

	if (fd >= 0)
		close(fd);
	return is_read;
}

/* The number behind a word that begins a line. */
static bool find_value(const char *text, const char *word, uint64_t *ret)
{
	size_t len = strlen(word);
	const char *line = text;

	while (line && !(strncmp(line, word, len) == 0 && line[len] == ' ')) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return line && sscanf(line + len, "%" SCNu64, ret) == 1;
}

bool kp_quota_parse(const char *text, struct kp_ev_cpu_stat *ret)
{
	uint64_t us;

	if (!find_value(text, "nr_periods", &ret->period_cnt) ||
	    !find_value(text, "nr_throttled", &ret->throttled_cnt))
		return false;
	if (find_value(text, "throttled_usec", &us))
		ret->throttled_ns = us * NS_PER_US;
	else if (!find_value(text, "throttled_time", &ret->throttled_ns))
		return false;
	return true;
}

/* Version 2 says "max" where there is none, version 1 -1. */
static bool has_quota(const struct kp_quotas *q, int dir)
{
	char text[TEXT_MAX];

	return q->hierarchy ? read_at(dir, "cpu.cfs_quota_us", text) && *text != '-'
			    : read_at(dir, "cpu.max", text) && strncmp(text, "max", 3) != 0;
}

/* --- where cgroups are --- */

/* By /proc/cgroups: the hierarchy of version 1 that has the CPU controller, 0: none has. */
static uint32_t cpu_hierarchy(void)
{
	FILE *file = fopen("/proc/cgroups", "re");
	uint32_t number = 0, found = 0;
	char line[256], name[64];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %" SCNu32, name, &number) == 2 && !strcmp(name, "cpu"))
			found = number;
	if (file)
		fclose(file);
	return found;
}

static void find_mount(struct kp_quotas *q)
{
	FILE *mounts = fopen("/proc/mounts", "re");
	char line[1024], path[256], type[32], options[512];
	bool is_it;

	while (mounts && !*q->mount && fgets(line, sizeof(line), mounts)) {
		if (sscanf(line, "%*s %255s %31s %511s", path, type, options) != 3)
			continue;
		is_it = q->hierarchy
				? !strcmp(type, "cgroup") && kp_cgroup_has_option(options, "cpu")
				: !strcmp(type, "cgroup2");
		if (is_it)
			memcpy(q->mount, path, sizeof(path));
	}
	if (mounts)
		fclose(mounts);
}

void kp_quotas_open(struct kp_quotas *quotas, const struct kp_sink *sink)
{
	*quotas = (struct kp_quotas){.sink = sink, .hierarchy = cpu_hierarchy()};
	find_mount(quotas);
}

/* --- groups --- */

static void forget(struct kp_quotas *q, unsigned i)
{
	close(q->groups[i].fd);
	q->groups[i] = q->groups[--q->cnt];
}

/* Writes what has changed; false: the group is gone. */
static bool look(struct kp_quotas *q, struct kp_quota *group)
{
	struct kp_ev_cpu_stat ev = group->told;
	char text[TEXT_MAX];

	if (!read_text(group->fd, text) || !kp_quota_parse(text, &ev))
		return false;
	if (ev.period_cnt == group->told.period_cnt && ev.throttled_ns == group->told.throttled_ns)
		return true;
	group->told = ev;
	kp_sink_put_fixed(q->sink, KP_EV_cpu_stat, &ev, sizeof(ev));
	return true;
}

static void look_at_some(struct kp_quotas *q, uint64_t now_ns)
{
	for (unsigned n = 0; n < LOOKS && n < q->cnt; n++) {
		q->next = q->next < q->cnt ? q->next : 0;
		if (q->groups[q->next].due_ns > now_ns) {
			q->next++;
			continue;
		}
		q->groups[q->next].due_ns = now_ns + LOOK_NS;
		if (look(q, &q->groups[q->next]))
			q->next++;
		else
			forget(q, q->next);
	}
}

static bool is_known(const struct kp_quotas *q, uint64_t number)
{
	for (unsigned i = 0; i < q->cnt; i++)
		if (q->groups[i].told.cgroup == number)
			return true;
	return false;
}

static void add_group(struct kp_quotas *q, int dir)
{
	struct kp_quota *group = &q->groups[q->cnt];
	struct stat st;

	if (fstat(dir, &st) < 0 || is_known(q, st.st_ino) || !has_quota(q, dir))
		return;
	q->is_full = q->cnt == KP_QUOTA_MAX;
	if (q->is_full)
		return;
	*group = (struct kp_quota){.told = {.cgroup = st.st_ino, .hierarchy = q->hierarchy}};
	group->fd = openat(dir, "cpu.stat", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	q->cnt += group->fd >= 0;
}

/* --- the walk --- */

/* Goes into a folder, whose descriptor it takes over. */
static void enter(struct kp_quotas *q, int fd)
{
	DIR *dir = fd >= 0 && q->depth < KP_QUOTA_DEPTH ? fdopendir(fd) : NULL;

	if (dir) {
		q->dirs[q->depth++] = dir;
		add_group(q, fd);
	} else if (fd >= 0) {
		close(fd);
	}
}

static void leave(struct kp_quotas *q)
{
	closedir(q->dirs[--q->depth]);
}

static void walk(struct kp_quotas *q, uint64_t now_ns)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct dirent *entry;
	int cost = 0;

	if (!q->depth && now_ns >= q->walk_ns) {
		q->walk_ns = now_ns + WALK_AGAIN_NS;
		enter(q, open(q->mount, flags));
	}
	while (cost++ < WALK_COST && q->depth) {
		DIR *dir = q->dirs[q->depth - 1];

		entry = readdir(dir);
		if (!entry) {
			leave(q);
		} else if (entry->d_type == DT_DIR && *entry->d_name != '.') {
			enter(q, openat(dirfd(dir), entry->d_name, flags | O_NOFOLLOW));
			cost += FOLDER_COST;
		}
	}
}

void kp_quotas_turn(struct kp_quotas *quotas, uint64_t now_ns)
{
	if (!*quotas->mount)
		return;
	walk(quotas, now_ns);
	look_at_some(quotas, now_ns);
}

void kp_quotas_done(struct kp_quotas *quotas)
{
	while (quotas->depth)
		leave(quotas);
	for (; quotas->cnt; forget(quotas, quotas->cnt - 1))
		look(quotas, &quotas->groups[quotas->cnt - 1]);
}
