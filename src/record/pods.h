/* SPDX-License-Identifier: MIT
 *
 * Names of pods and containers, as kubelet and the runtimes write them into the names of log
 * folders: DIR/pods/NAMESPACE_POD_UID and DIR/containers/POD_NAMESPACE_CONTAINER-ID.log, which is a
 * link to a file of the former.
 */
#ifndef KP_RECORD_PODS_H
#define KP_RECORD_PODS_H

#include <stdbool.h>

#include "base/map.h"
#include "event/container.h"
#include "record/sink.h"

#define KP_POD_NAME_MAX 253 /* of a namespace, pod or container: a DNS name */

struct kp_pod {
	char space[KP_POD_NAME_MAX + 1]; /* its namespace */
	char name[KP_POD_NAME_MAX + 1];
	char uid[KP_POD_UID_LEN + 1]; /* empty: not known */
};

struct kp_pod_container {
	struct kp_pod pod;
	char name[KP_POD_NAME_MAX + 1];
	char id[KP_CONTAINER_ID_LEN + 1];
};

/* Copies a DNS name, which is what a namespace, pod or container is called; false: it is none. */
bool kp_pod_copy_name(const char *text, size_t len, char ret[KP_POD_NAME_MAX + 1]);

/* What the name of a folder of a pod's logs says; false: it is none. */
bool kp_pod_parse(const char *name, struct kp_pod *ret);

/* What the name of a container's log says, and where the link leads; false: it is none. */
bool kp_pod_container_parse(const char *name, const char *target, struct kp_pod_container *ret);

#define KP_POD_LOGS "/var/log" /* where the two folders are */

struct kp_pods {
	const char *dir;    /* borrowed */
	int fd;             /* inotify: readable when there may be new ones; -1: none */
	struct kp_map told; /* hashes of what was told */
	/* Called for each pod that is told; NULL: nobody asks. */
	void (*on_pod)(const struct kp_pod *pod, void *arg);
	void *arg;
};

/* dir: KP_POD_LOGS, or where that of the host is seen. */
void kp_pods_init(struct kp_pods *pods, const char *dir);

/* Tells those that were not told yet, as `pod` and `container` events; sink NULL: only on_pod. */
void kp_pods_tell(struct kp_pods *pods, const struct kp_sink *sink);

/* All are to be told again. */
void kp_pods_forget(struct kp_pods *pods);

void kp_pods_done(struct kp_pods *pods);

#endif
