/* SPDX-License-Identifier: MIT
 * What the parts of `kprobe dump` share.
 */
#ifndef KP_CLI_DUMP_H
#define KP_CLI_DUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "event/event.h"
#include "event/kinds.h"
#include "kprobe/syscall.h"
#include "log/object_set.h"
#include "log/reader.h"

/* Which events are asked for; zero-initialised: all. */
struct dump_filter {
	struct kp_set kinds;                 /* empty and no call: all */
	uint64_t calls[KP_SYSCALL_MAX / 64]; /* system calls asked for by name … */
	bool has_calls;                      /* … there are some */
	KP_VEC(uint32_t) pids;
	KP_VEC(uint32_t) tids;
	KP_VEC(const char *) comms; /* globs */
};

/* Adds the comma-separated kinds, groups and calls. */
int dump_filter_add_kinds(struct dump_filter *filter, const char *list, struct kp_err *err);

/* The kinds to read for it; empty: all. */
struct kp_set dump_filter_kinds(const struct dump_filter *filter);

/* Whether the event is one of them; comm is the name of its task, or NULL. */
bool dump_filter_fits(const struct dump_filter *filter, const struct kp_hdr *event,
		      const char *comm);

void dump_filter_done(struct dump_filter *filter);

/* What came of it. */
struct dump_result {
	uint64_t event_cnt;
	uint64_t kind_cnt[KP_EV_END];
	bool is_pipe_closed;
	struct kp_object_set objects; /* that the events named */
	uint64_t objects_len;         /* bytes of those that are whole, on the disk */
	uint64_t object_cnt;
	uint32_t missing_cnt, damaged_cnt;
	char object_name[KP_OBJECT_NAME_LEN]; /* the first of the others */
	const char *object_why;
};

/* Looks for the objects beside the log, and, for its account, whether they are whole. */
int dump_objects_check(const char *log, bool verify, struct dump_result *result,
		       struct kp_err *err);

/* Says which are not; KP_EXIT_CORRUPT then. */
int dump_objects_report(const char *log, const struct dump_result *result);

void dump_stats_text(const struct kp_log_info *info, const struct dump_result *result,
		     struct kp_buf *out);
void dump_stats_json(const struct kp_log_info *info, const struct dump_result *result,
		     struct kp_buf *out);

/* Says what could not be read; KP_EXIT_CORRUPT unless it is only a torn end, or what retention
 * took meanwhile. */
int dump_report_damage(const struct kp_log_info *info);

/* Says whether the log is what was written, on stdout, as JSON or as lines; the exit status. */
int dump_verify(const char *log, bool is_json);

#endif
