/* SPDX-License-Identifier: MIT
 * Names of pods and containers, from the names of their logs.
 */
#include "record/pods.h"

#include "groups.h"
#include "probes_run.h"

Test(pods, names)
{
	struct kp_pod_container container;
	struct kp_pod pod;

	cr_assert(kp_pod_parse("default_web-0_" UID, &pod));
	cr_expect_str_eq(pod.space, "default");
	cr_expect_str_eq(pod.name, "web-0");
	cr_expect_str_eq(pod.uid, UID);
	cr_expect(kp_pod_parse("kube-system_etcd-node_5f2d1c0b9a8877665544332211ffeedd", &pod));
	cr_expect(!kp_pod_parse("default_web-0", &pod));
	cr_expect(!kp_pod_parse("default__" UID, &pod));
	cr_expect(!kp_pod_parse("de/fault_web_" UID, &pod));
	cr_expect(!kp_pod_parse("default_w\033[2Jeb_" UID, &pod));
	cr_expect(!kp_pod_parse("default_web_" UID "0", &pod));
	cr_assert(kp_pod_container_parse("web-0_default_nginx-proxy-" ID ".log",
					 "/var/log/pods/default_web-0_" UID "/nginx-proxy/0.log",
					 &container));
	cr_expect_str_eq(container.pod.space, "default");
	cr_expect_str_eq(container.pod.name, "web-0");
	cr_expect_str_eq(container.pod.uid, UID);
	cr_expect_str_eq(container.name, "nginx-proxy");
	cr_expect_str_eq(container.id, ID);
	cr_assert(kp_pod_container_parse("web-0_default_nginx-" ID ".log",
					 "/var/log/pods/other_web-0_" UID "/nginx/0.log",
					 &container));
	cr_expect_str_eq(container.pod.uid, "", "another pod's");
	cr_expect(!kp_pod_container_parse("web-0_default_-" ID ".log", "", &container));
	cr_expect(!kp_pod_container_parse("web-0_default_" ID ".log", "", &container));
	cr_expect(!kp_pod_container_parse("web-0_default_nginx-" ID ".log.1", "", &container));
	cr_expect(!kp_pod_container_parse("web-0_default_nginx-" ID, "", &container));
}

/* The pod comes and goes while it is recorded. */
static void make_pod_shortly(struct told *told)
{
	char command[128];

	(void)told;
	make_pod("default", "late", "11111111-4e5f-4a6b-8c7d-9e0f1a2b3c4d");
	sleep_ms(200);
	snprintf(command, sizeof(command), "rm -rf %s/pods/default_late*", logs);
	_exit(system(command));
}

static bool has_texts(const void *at, size_t len, const char *const *texts)
{
	const char *text = at, *end = text + len;

	for (; *texts; texts++, text += strlen(text) + 1)
		if (text >= end || strcmp(text, *texts) != 0)
			return false;
	return text == end;
}

static bool find_texts(const char *dir, unsigned kind, const char *const *texts)
{
	struct run run = {.dir = ""};
	const struct kp_hdr *event;
	bool found = false;

	cr_assert_eq(kp_log_open(dir, NULL, &run.reader, NULL), 0);
	while (!found && (event = next_of(&run, kind)))
		found = has_texts((const char *)event + kp_event_get(kind)->struct_len,
				  kp_event_data_len(event), texts);
	kp_log_reader_free(run.reader);
	kp_names_done(&run.names);
	return found;
}

Test(pods, by_their_logs, .init = need_probes, .timeout = 60)
{
	static const char *const early[] = {"default", "web-0", UID, NULL};
	static const char *const late[] = {"default", "late",
					   "11111111-4e5f-4a6b-8c7d-9e0f1a2b3c4d", NULL};
	static const char *const container[] = {"default", "web-0", UID, "main", ID, NULL};
	struct run run = {0};

	make_logs();
	make_pod("default", "web-0", UID);
	record_child(&run, make_pod_shortly, (struct kp_recorder_options){.pod_logs = logs});
	cr_expect(find_texts(run.dir, KP_EV_pod, early));
	cr_expect(find_texts(run.dir, KP_EV_pod, late));
	cr_expect(find_texts(run.dir, KP_EV_container, container));
	remove_logs();
	done(&run);
}
