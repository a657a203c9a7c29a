/* SPDX-License-Identifier: MIT
 * Paths of control groups as container runtimes make them, and as somebody might who means to
 * mislead.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "event/container.h"

#define ID "3f4d29c1e5b86a70f2c9d4e8b1a6573c0d9e2f8a7b4c5d6e1f0a9b8c7d6e5f40"
#define OTHER "00ff29c1e5b86a70f2c9d4e8b1a6573c0d9e2f8a7b4c5d6e1f0a9b8c7d6e5f41"
#define UID "0ab3c9d1-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
#define UID_ "0ab3c9d1_4e5f_4a6b_8c7d_9e0f1a2b3c4d"
#define UID2 "11111111-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
#define HASH "5f2d1c0b9a8877665544332211ffeedd"

static const struct {
	const char *path, *uid, *id;
} rows[] = {
	/* kubelet with cgroupfs, versions 1 and 2; the three classes of pods */
	{"/kubepods/burstable/pod" UID "/" ID, UID, ID},
	{"/kubepods/besteffort/pod" UID "/" ID, UID, ID},
	{"/kubepods/pod" UID "/" ID, UID, ID},
	{"/kubepods/burstable/pod" UID, UID, ""},
	{"/kubepods/burstable/pod" HASH "/" ID, HASH, ID}, /* a static pod */
	{"/kubepods/burstable/pod" UID "/crio-" ID, UID, ID},
	{"/kubepods/burstable/pod" UID "/crio-conmon-" ID, UID, ""},
	{"/k8s.io/kubepods/burstable/pod" UID "/" ID, UID, ID},
	/* … with systemd */
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	 ".slice/cri-containerd-" ID ".scope",
	 UID, ID},
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID
	 ".scope",
	 UID, ID},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/docker-" ID ".scope", UID, ID},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice", UID, ""},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" HASH
	 ".slice/cri-containerd-" ID ".scope",
	 HASH, ID},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope/container", UID, ID},
	/* containerd's own form, when it was told the other driver */
	{"/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID,
	 UID, ID},
	/* a node that is itself a container (kind) */
	{"/docker/" OTHER "/kubelet/kubepods/burstable/pod" UID "/" ID, UID, ID},
	{"/system.slice/docker-" OTHER
	 ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
	 "kubelet-kubepods-besteffort-pod" UID_ ".slice/cri-containerd-" ID ".scope",
	 UID, ID},
	/* docker */
	{"/docker/" ID, "", ID},
	{"/system.slice/docker-" ID ".scope", "", ID},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope", "", ID},
	{"/docker/" ID "/docker/" OTHER, "", ID}, /* docker in docker */
	{"/ecs/b1c2d3e4/" ID, "", ID},
	/* podman */
	{"/machine.slice/libpod-" ID ".scope", "", ID},
	{"/machine.slice/libpod-" ID ".scope/container", "", ID},
	{"/libpod_parent/libpod-" ID, "", ID},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", "", ID},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/libpod-payload-" ID,
	 "", ID},
	{"/machine.slice/machine-libpod_pod_" OTHER ".slice/libpod-" ID ".scope", "", ID},
	{"/machine.slice/libpod-conmon-" ID ".scope", "", ""},
	/* containerd by others than kubelet */
	{"/system.slice/nerdctl-" ID ".scope", "", ID},
	{"/default/" ID, "", ID},
	/* no containers */
	{"/", "", ""},
	{"", "", ""},
	{"/system.slice/sshd.service", "", ""},
	{"/user.slice/user-1000.slice/session-2.scope", "", ""},
	{"/kubepods", "", ""},
	{"/kubepods.slice/kubepods-burstable.slice", "", ""},
	{"/lxc.payload.web", "", ""},
	/* who misleads: below one's own group nothing counts that names another */
	{"/kubepods/pod" UID "/" ID "/kubepods/pod" UID2 "/" OTHER, UID, ID},
	{"/kubepods/pod" UID "/" ID "/" OTHER, UID, ID},
	{"/user.slice/user-1000.slice/pod" UID "/" ID, "", ID}, /* not below kubelet's */
	{"/mykubepods/pod" UID, "", ""},
	{"/kubepodsx/pod" UID, "", ""},
	/* nearly */
	{"/docker/" ID "0", "", ""},
	{"/docker/3F4D29C1E5B86A70F2C9D4E8B1A6573C0D9E2F8A7B4C5D6E1F0A9B8C7D6E5F40", "", ""},
	{"/docker/3f4d29c1e5b86a70", "", ""},
	{"/docker-" ID, "", ""},
	{"/kubepods/pod" UID_ "/", "", ""},
	{"/kubepods/pod0ab3c9d1-4e5f-4a6b-8c7d-9e0f1a2b3c4", "", ""},
	{"/kubepods/pod0ab3c9d1-4e5f-4a6b-8c7d-9e0f1a2b3c4g", "", ""},
	{"/kubepods.slice/kubepods-pod.slice", "", ""},
	{"/kubepods.slice/-pod.slice", "", ""},
	{"////:::///", "", ""},
	{"/kubepods/pod" UID "//" ID "//", UID, ID},
	{"/kubepods/../pod" UID "/\033[2J/" ID, UID, ID},
};

/* Each from memory of just its length, so that a sanitizer sees who reads behind it. */
Test(container, paths)
{
	struct kp_container got;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = strlen(rows[i].path);
		char *path = malloc(len ? len : 1);

		memcpy(path, rows[i].path, len);
		cr_expect_eq(kp_container_parse(path, len, &got), *rows[i].uid || *rows[i].id, "%s",
			     rows[i].path);
		cr_expect_str_eq(got.pod_uid, rows[i].uid, "%s: %s", rows[i].path, got.pod_uid);
		cr_expect_str_eq(got.id, rows[i].id, "%s: %s", rows[i].path, got.id);
		free(path);
	}
}

/* Cut anywhere, and with any byte changed, a path is still only a path. */
Test(container, damaged_paths)
{
	struct kp_container got;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = strlen(rows[i].path);
		char *path = malloc(len + 1);

		for (size_t at = 0; at < len; at++) {
			memcpy(path, rows[i].path, len);
			kp_container_parse(path, at, &got);
			path[at] ^= 0x5a;
			kp_container_parse(path, len, &got);
			cr_expect(strlen(got.pod_uid) <= KP_POD_UID_LEN);
			cr_expect(!got.id[0] || kp_container_is_id(got.id, strlen(got.id)));
		}
		free(path);
	}
}
