/* SPDX-License-Identifier: MIT
 * Containers and pods by the paths of their control groups; see container.h.
 */
#include "event/container.h"

#include <string.h>

/* What stands around the id in the name of a container's group. */
static const struct {
	const char *before, *after;
} forms[] = {
	{"", ""},                      /* all runtimes with cgroupfs; containerd's third part of
					  SLICE:cri-containerd:ID */
	{"cri-containerd-", ".scope"}, /* containerd with systemd, for kubelet */
	{"crio-", ".scope"},           /* CRI-O with systemd … */
	{"crio-", ""},                 /* … and with cgroupfs */
	{"docker-", ".scope"},         /* docker with systemd */
	{"libpod-", ".scope"},         /* podman with systemd … */
	{"libpod-", ""},               /* … and with cgroupfs */
	{"libpod-payload-", ""},       /* podman and crun below a service */
	{"nerdctl-", ".scope"},        /* containerd by nerdctl, with systemd */
};

/* A piece of a path. */
struct piece {
	const char *at;
	size_t len;
};

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool all_hex(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_hex(text[i]))
			return false;
	return true;
}

bool kp_container_is_id(const char *text, size_t len)
{
	return len == KP_CONTAINER_ID_LEN && all_hex(text, len);
}

/* 8-4-4-4-12 digits with this between them. */
static bool is_uuid(const char *text, size_t len, char dash)
{
	if (len != KP_POD_UID_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? text[i] != dash : !is_hex(text[i]))
			return false;
	}
	return true;
}

bool kp_container_is_pod_uid(const char *text, size_t len)
{
	return is_uuid(text, len, '-') || (len == 32 && all_hex(text, len));
}

/* Takes what the piece begins, or ends, with off it; false: it does not. */
static bool cut_begin(struct piece *piece, const char *with)
{
	size_t len = strlen(with);

	if (piece->len < len || memcmp(piece->at, with, len) != 0)
		return false;
	piece->at += len;
	piece->len -= len;
	return true;
}

static bool cut_end(struct piece *piece, const char *with)
{
	size_t len = strlen(with);

	if (piece->len < len || memcmp(piece->at + piece->len - len, with, len) != 0)
		return false;
	piece->len -= len;
	return true;
}

/* The id of the container for which a group of this name was made. */
static bool find_id(struct piece name, char ret_id[KP_CONTAINER_ID_LEN + 1])
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct piece id = name;

		if (!cut_begin(&id, forms[i].before) || !cut_end(&id, forms[i].after) ||
		    !kp_container_is_id(id.at, id.len))
			continue;
		memcpy(ret_id, id.at, id.len);
		ret_id[id.len] = '\0';
		return true;
	}
	return false;
}

static void set_uid(struct piece uid, char ret_uid[KP_POD_UID_LEN + 1])
{
	memcpy(ret_uid, uid.at, uid.len);
	ret_uid[uid.len] = '\0';
	for (char *c = ret_uid; *c; c++)
		*c = *c == '_' ? '-' : *c;
}

/* kubelet's name for a pod's group: podUID with cgroupfs, …-podUID.slice with systemd, where a dash
 * has a meaning, and the UID has underscores. */
static bool find_uid(struct piece name, char ret_uid[KP_POD_UID_LEN + 1])
{
	struct piece uid = name;

	if (cut_begin(&uid, "pod") && kp_container_is_pod_uid(uid.at, uid.len)) {
		set_uid(uid, ret_uid);
		return true;
	}
	uid = name;
	if (!cut_end(&uid, ".slice"))
		return false;
	for (size_t i = 0; i + 5 < uid.len; i++) {
		struct piece rest = {uid.at + i, uid.len - i};

		if (!cut_begin(&rest, "-pod") || !(is_uuid(rest.at, rest.len, '_') ||
						   (rest.len == 32 && all_hex(rest.at, rest.len))))
			continue;
		set_uid(rest, ret_uid);
		return true;
	}
	return false;
}

/* Whether kubelet's groups begin here: its root has this name, or one that ends with it. */
static bool is_kubepods(struct piece name)
{
	static const char root[] = "kubepods";
	const size_t len = sizeof(root) - 1;

	cut_end(&name, ".slice");
	for (size_t i = 0; i + len <= name.len; i++)
		if (!memcmp(name.at + i, root, len) && (!i || name.at[i - 1] == '-') &&
		    (i + len == name.len || name.at[i + len] == '-'))
			return true;
	return false;
}

/* The next piece of the path between '/' and ':'; false: there is none. */
static bool next_piece(const char **at, const char *end, struct piece *ret)
{
	while (*at < end && (**at == '/' || **at == ':'))
		++*at;
	ret->at = *at;
	while (*at < end && **at != '/' && **at != ':')
		++*at;
	ret->len = (size_t)(*at - ret->at);
	return ret->len;
}

bool kp_container_parse(const char *path, size_t len, struct kp_container *ret)
{
	const char *at = path, *end = path + len;
	bool is_kubelets = false;
	struct piece name;

	memset(ret, 0, sizeof(*ret));
	while (next_piece(&at, end, &name)) {
		is_kubelets |= is_kubepods(name);
		if (is_kubelets && !ret->pod_uid[0] && find_uid(name, ret->pod_uid))
			ret->id[0] = '\0'; /* what it is in is a node's */
		else if (!ret->id[0])
			find_id(name, ret->id);
	}
	return ret->pod_uid[0] || ret->id[0];
}
