/* SPDX-License-Identifier: MIT
 *
 * Whose a control group is, by its path: the container and the pod that a runtime made it for. The
 * path is a stranger's text: whoever may make groups may name them as he likes, but only below his
 * own. So what stands nearest to the root counts.
 */
#ifndef KP_EVENT_CONTAINER_H
#define KP_EVENT_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>

#define KP_CONTAINER_ID_LEN 64 /* hexadecimal digits */
#define KP_POD_UID_LEN 36      /* of a pod that the node itself was told of 32: a hash */

/* Texts ended by NUL; empty: there is none. */
struct kp_container {
	char pod_uid[KP_POD_UID_LEN + 1]; /* with dashes, whatever the path has for them */
	char id[KP_CONTAINER_ID_LEN + 1];
};

/*
 * What the len bytes of a path within a hierarchy say: the outermost pod and the outermost
 * container in it, or, without a pod, the outermost container. False: neither.
 */
bool kp_container_parse(const char *path, size_t len, struct kp_container *ret);

/* Whether so many bytes are a pod's UID as kubelet writes it. */
bool kp_container_is_pod_uid(const char *text, size_t len);

/* Whether so many bytes are a container's id. */
bool kp_container_is_id(const char *text, size_t len);

#endif
