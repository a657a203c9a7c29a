/* SPDX-License-Identifier: MIT
 * Choice by name, control group and pod; see wanted.h.
 */
#include "record/wanted.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kprobe/event.h"

#define PODS_MAX 65536

static const char *const options[KP_WANTED_BY_CNT] = {
	[KP_WANTED_COMM] = "comm", [KP_WANTED_CGROUP] = "cgroup", [KP_WANTED_POD] = "pod"};

const char *kp_wanted_option(enum kp_wanted_by by)
{
	return options[by];
}

/* --- what can match --- */

/* Characters of the bracket expression that begins here, ']' included; 0: it does not end. */
static size_t bracket_len(const char *at)
{
	const char *c = at + 1;

	c += *c == '!' || *c == '^';
	c += *c == ']';
	while (*c && *c != ']')
		c++;
	return *c ? (size_t)(c - at) + 1 : 0;
}

static int check_glob(const char *glob, struct kp_err *err)
{
	size_t least = 0, len;

	for (const char *c = glob; *c; c += len) {
		len = *c == '\\' && c[1] ? 2 : 1;
		if (*c == '[' && !(len = bracket_len(c)))
			return kp_err_set(err, -EINVAL,
					  "'%s' has a '[' without its ']', and matches nothing as "
					  "a glob; write '\\[' for the character",
					  glob);
		least += *c != '*';
	}
	if (!*glob || least >= KP_COMM_LEN)
		return kp_err_set(err, -EINVAL,
				  "'%s' matches no task: a task's name has 1 to %d characters (a "
				  "longer name of a program is cut there; end the glob with '*')",
				  glob, KP_COMM_LEN - 1);
	return 0;
}

static int check_cgroup(const char *path, struct kp_err *err)
{
	static const char mounted[] = "/sys/fs/cgroup";

	if (path[0] != '/' || !strncmp(path, mounted, sizeof(mounted) - 1))
		return kp_err_set(err, -EINVAL,
				  "'%s' is no path of a control group; give it as /proc/PID/cgroup "
				  "has it behind the second colon, as /system.slice/nginx.service",
				  path);
	return 0;
}

/* NAMESPACE/POD as the two names. */
static bool split_pod(const char *text, struct kp_pod *ret)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : 0;

	return slash && kp_pod_copy_name(text, len, ret->space) &&
	       kp_pod_copy_name(slash + 1, strlen(slash + 1), ret->name);
}

static int check_pod(const char *text, struct kp_err *err)
{
	struct kp_pod pod;

	if (!split_pod(text, &pod))
		return kp_err_set(err, -EINVAL,
				  "'%s' is no NAMESPACE/POD, as in default/web-0 (both of small "
				  "letters, digits, '-' and '.')",
				  text);
	return 0;
}

int kp_wanted_check(const struct kp_wanted *wanted, struct kp_err *err)
{
	switch (wanted->by) {
	case KP_WANTED_COMM:
		return check_glob(wanted->text, err);
	case KP_WANTED_CGROUP:
		return check_cgroup(wanted->text, err);
	default:
		return check_pod(wanted->text, err);
	}
}

/* --- what matches --- */

int kp_wanted_init(struct kp_wanted_list *list, const struct kp_wanted *at, size_t cnt)
{
	*list = (struct kp_wanted_list){.at = at, .cnt = cnt};
	list->found = cnt ? calloc(cnt, sizeof(*list->found)) : NULL;
	return cnt && !list->found ? -ENOMEM : 0;
}

bool kp_wanted_has(const struct kp_wanted_list *list, enum kp_wanted_by by)
{
	for (size_t i = 0; i < list->cnt; i++)
		if (list->at[i].by == by)
			return true;
	return false;
}

bool kp_wanted_comm(struct kp_wanted_list *list, const char *comm)
{
	char name[KP_COMM_LEN + 1] = "";
	bool wanted = false;

	memcpy(name, comm, KP_COMM_LEN);
	for (size_t i = 0; i < list->cnt; i++) {
		if (list->at[i].by != KP_WANTED_COMM || fnmatch(list->at[i].text, name, 0) != 0)
			continue;
		list->found[i] = wanted = true;
	}
	return wanted;
}

/* Whether the path is that group's or one's below it. */
static bool is_within(const char *path, size_t len, const char *group)
{
	size_t group_len = strlen(group);

	while (group_len && group[group_len - 1] == '/')
		group_len--;
	return len >= group_len && !memcmp(path, group, group_len) &&
	       (len == group_len || path[group_len] == '/');
}

bool kp_wanted_cgroup(struct kp_wanted_list *list, const char *path, size_t len)
{
	struct kp_container of;
	bool wanted = false;

	for (size_t i = 0; i < list->cnt; i++)
		if (list->at[i].by == KP_WANTED_CGROUP && is_within(path, len, list->at[i].text))
			list->found[i] = wanted = true;
	if (wanted || !list->pods.cnt || !kp_container_parse(path, len, &of) || !of.pod_uid[0])
		return wanted;
	for (uint32_t i = 0; i < list->pods.cnt && !wanted; i++)
		wanted = !strcmp(list->pods.at[i].pod_uid, of.pod_uid);
	return wanted;
}

bool kp_wanted_pod(struct kp_wanted_list *list, const struct kp_pod *pod)
{
	struct kp_container uid = {.id = ""};
	struct kp_pod named;
	bool wanted = false;

	for (size_t i = 0; i < list->cnt; i++)
		if (list->at[i].by == KP_WANTED_POD && split_pod(list->at[i].text, &named) &&
		    !strcmp(named.space, pod->space) && !strcmp(named.name, pod->name))
			list->found[i] = wanted = true;
	for (uint32_t i = 0; i < list->pods.cnt && wanted; i++)
		wanted = strcmp(list->pods.at[i].pod_uid, pod->uid) != 0; /* known already */
	memcpy(uid.pod_uid, pod->uid, sizeof(uid.pod_uid));
	return wanted && list->pods.cnt < PODS_MAX && KP_VEC_PUSH(&list->pods, uid) >= 0;
}

void kp_wanted_done(struct kp_wanted_list *list)
{
	free(list->found);
	list->found = NULL;
	KP_VEC_DONE(&list->pods);
}
