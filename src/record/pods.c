/* SPDX-License-Identifier: MIT
 * Folders of logs of pods; see pods.h.
 */
#include "record/pods.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/blake2b.h"

#define ENTRIES_MAX 65536 /* looked at in each folder */
#define TOLD_MAX 65536    /* then all are told again */

/* --- names --- */

bool kp_pod_copy_name(const char *text, size_t len, char ret[KP_POD_NAME_MAX + 1])
{
	ret[0] = '\0';
	if (!len || len > KP_POD_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-.", text[i]) || !text[i])
			return false;
	memcpy(ret, text, len);
	ret[len] = '\0';
	return true;
}

/* Two names on both sides of an underscore, which no name has, and where the second ends; NULL:
 * they are not there. */
static const char *split(const char *text, char first[KP_POD_NAME_MAX + 1],
			 char second[KP_POD_NAME_MAX + 1])
{
	const char *middle = strchr(text, '_'), *end = middle ? strchr(middle + 1, '_') : NULL;

	if (!end || !kp_pod_copy_name(text, (size_t)(middle - text), first) ||
	    !kp_pod_copy_name(middle + 1, (size_t)(end - middle - 1), second))
		return NULL;
	return end + 1;
}

bool kp_pod_parse(const char *name, struct kp_pod *ret)
{
	const char *uid = split(name, ret->space, ret->name);

	if (!uid || !kp_container_is_pod_uid(uid, strlen(uid)))
		return false;
	snprintf(ret->uid, sizeof(ret->uid), "%s", uid);
	return true;
}

/* The UID of the pod from a path below its folder: the part that has its namespace and name. */
static void find_uid(const char *path, struct kp_pod *pod)
{
	char part[NAME_MAX + 1];
	struct kp_pod found;

	for (; *path; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");

		if (len && len < sizeof(part)) {
			memcpy(part, path, len);
			part[len] = '\0';
			if (kp_pod_parse(part, &found) && !strcmp(found.space, pod->space) &&
			    !strcmp(found.name, pod->name))
				memcpy(pod->uid, found.uid, sizeof(pod->uid));
		}
		path += len;
	}
}

bool kp_pod_container_parse(const char *name, const char *target, struct kp_pod_container *ret)
{
	const char *rest = split(name, ret->pod.name, ret->pod.space);
	const size_t end_len = sizeof("-.log") - 1 + KP_CONTAINER_ID_LEN;
	size_t len = rest ? strlen(rest) : 0;
	const char *id;

	if (len <= end_len)
		return false;
	id = rest + len - end_len + 1;
	if (id[-1] != '-' || strcmp(id + KP_CONTAINER_ID_LEN, ".log") != 0 ||
	    !kp_container_is_id(id, KP_CONTAINER_ID_LEN) ||
	    !kp_pod_copy_name(rest, len - end_len, ret->name))
		return false;
	memcpy(ret->id, id, KP_CONTAINER_ID_LEN);
	ret->id[KP_CONTAINER_ID_LEN] = '\0';
	ret->pod.uid[0] = '\0';
	find_uid(target, &ret->pod);
	return true;
}

/* --- telling --- */

/* Texts behind each other, each ended by NUL. */
struct texts {
	char data[4 * (KP_POD_NAME_MAX + 1) + KP_CONTAINER_ID_LEN + 1];
	size_t len;
};

static void add(struct texts *texts, const char *text)
{
	size_t len = strlen(text) + 1;

	memcpy(texts->data + texts->len, text, len);
	texts->len += len;
}

static void add_pod(struct texts *texts, const struct kp_pod *pod)
{
	add(texts, pod->space);
	add(texts, pod->name);
	add(texts, pod->uid);
}

/* Whether this was not told yet; from now on it was. */
static bool is_new(struct kp_pods *pods, const struct texts *texts)
{
	uint64_t hash;

	kp_blake2b(texts->data, texts->len, &hash, sizeof(hash));
	if (kp_map_get(&pods->told, hash))
		return false;
	if (pods->told.cnt == TOLD_MAX)
		kp_map_done(&pods->told);
	kp_map_put(&pods->told, hash, 1);
	return true;
}

static void tell_pod(struct kp_pods *pods, int dir, const char *name, const struct kp_sink *sink)
{
	struct kp_ev_pod ev = {0};
	struct texts texts = {.len = 0};
	struct kp_pod pod;

	(void)dir;
	if (!kp_pod_parse(name, &pod))
		return;
	add_pod(&texts, &pod);
	if (!is_new(pods, &texts))
		return;
	if (sink)
		kp_sink_put(sink, KP_EV_pod, &ev, sizeof(ev), texts.data, texts.len);
	if (pods->on_pod)
		pods->on_pod(&pod, pods->arg);
}

static void tell_container(struct kp_pods *pods, int dir, const char *name,
			   const struct kp_sink *sink)
{
	struct kp_ev_container ev = {0};
	struct kp_pod_container container;
	struct texts texts = {.len = 0};
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir, name, target, sizeof(target) - 1);

	target[len < 0 ? 0 : len] = '\0';
	if (!kp_pod_container_parse(name, target, &container))
		return;
	add_pod(&texts, &container.pod);
	add(&texts, container.name);
	add(&texts, container.id);
	if (sink && is_new(pods, &texts))
		kp_sink_put(sink, KP_EV_container, &ev, sizeof(ev), texts.data, texts.len);
}

static const struct {
	const char *name;
	void (*tell)(struct kp_pods *pods, int dir, const char *name, const struct kp_sink *sink);
} folders[] = {
	{"pods", tell_pod},
	{"containers", tell_container},
};
#define FOLDER_CNT (sizeof(folders) / sizeof(*folders))

static void folder_path(const struct kp_pods *pods, size_t i, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", pods->dir, folders[i].name);
}

/* A folder that comes later is watched from then on. */
static void watch(const struct kp_pods *pods)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < FOLDER_CNT && pods->fd >= 0; i++) {
		folder_path(pods, i, path);
		inotify_add_watch(pods->fd, path, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	}
}

void kp_pods_init(struct kp_pods *pods, const char *dir)
{
	*pods = (struct kp_pods){.dir = dir, .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
}

/* What happened is seen by looking again: only that something did counts. */
static void take_notice(const struct kp_pods *pods)
{
	char events[4096];

	while (pods->fd >= 0 && read(pods->fd, events, sizeof(events)) > 0)
		;
}

void kp_pods_tell(struct kp_pods *pods, const struct kp_sink *sink)
{
	struct dirent *entry;
	char path[PATH_MAX];
	unsigned cnt;
	DIR *dir;

	take_notice(pods);
	watch(pods); /* before it is looked, so that nothing comes in between */
	for (size_t i = 0; i < FOLDER_CNT; i++) {
		folder_path(pods, i, path);
		dir = opendir(path);
		for (cnt = 0; dir && cnt < ENTRIES_MAX && (entry = readdir(dir)); cnt++)
			folders[i].tell(pods, dirfd(dir), entry->d_name, sink);
		if (dir)
			closedir(dir);
	}
}

void kp_pods_forget(struct kp_pods *pods)
{
	kp_map_done(&pods->told);
}

void kp_pods_done(struct kp_pods *pods)
{
	kp_map_done(&pods->told);
	if (pods->fd >= 0)
		close(pods->fd);
	pods->fd = -1;
}
