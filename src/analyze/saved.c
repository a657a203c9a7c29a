/* SPDX-License-Identifier: MIT
 *
 * An incident that was analyzed before is printed again, unless what is asked for differs; a new
 * one is saved. The report comes first: a database that cannot be read or written costs a warning,
 * and so does a log whose part cannot be pinned.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyze/incident.h"
#include "analyze/store.h"
#include "analyze/tables.h"
#include "base/crc32c.h"
#include "base/text.h"
#include "log/pins.h"

/* The runs of the log that is asked for; none if it cannot be read. */
struct log {
	struct kp_log_run *runs;
	size_t run_cnt;
	int code; /* of reading it */
	struct kp_err err;
};

static bool is_defined(const struct kp_incident *what)
{
	return what->trace || what->attribute || what->pid;
}

/* Tells one content of a file from another; 0: not a regular file, or not readable. */
static uint64_t sum_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint64_t len = 0;
	uint32_t crc = 0;
	struct stat st;
	char buf[65536];
	ssize_t n = -1;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		while ((n = read(fd, buf, sizeof(buf))) > 0) {
			crc = kp_crc32c(crc, buf, (size_t)n);
			len += (uint64_t)n;
		}
	if (fd >= 0)
		close(fd);
	return n < 0 ? 0 : len << 32 | crc | 1ull << 63;
}

static void add_note(struct kp_report *r, const char *text)
{
	struct kp_buf note = {0};
	const char *copy;

	kp_buf_printf(&note, "%s%s%s", r->note ? r->note : "", r->note ? "; " : "", text);
	copy = kp_arena_take(&r->arena, &note);
	if (copy)
		r->note = copy;
}

/* --- what is asked for now, and what was when it was saved --- */

/* Whether the column is of the incident's definition. */
static bool is_asked(const struct kp_col *c)
{
	return c->name && strncmp(c->name, KP_ASKED, sizeof(KP_ASKED) - 1) == 0;
}

/* Whether the column is given now and was something else. */
static bool differs(const struct kp_col *c, const struct kp_incident *now,
		    const struct kp_incident *then)
{
	size_t at = c->offset - offsetof(struct kp_report, asked);
	const void *a = (const char *)now + at, *b = (const char *)then + at;
	const char *x, *y;

	switch (c->type) {
	case KP_COL_U32:
		return *(const uint32_t *)a && *(const uint32_t *)a != *(const uint32_t *)b;
	case KP_COL_U64:
		return *(const uint64_t *)a && *(const uint64_t *)a != *(const uint64_t *)b;
	default:
		x = *(const char *const *)a;
		y = *(const char *const *)b;
		return x && (!y || strcmp(x, y) != 0);
	}
}

/* Appends the options by which the two differ. Traces are told apart by what is in them, and not at
 * all if that can be read once only. */
static void list_differences(const struct kp_incident *now, const struct kp_incident *then,
			     struct kp_buf *out)
{
	const size_t skip = sizeof(KP_ASKED) - 1;

	for (const struct kp_col *c = kp_tables[0].cols; c->type; c++) {
		if (!is_asked(c) || !strcmp(c->name, KP_ASKED "traces"))
			continue;
		if (!strcmp(c->name, KP_ASKED "traces_sum")) {
			if (now->traces && (!now->traces_sum || differs(c, now, then)))
				kp_buf_puts(out, " --traces");
		} else if (differs(c, now, then)) {
			kp_buf_printf(out, " --%s", c->name + skip);
		}
	}
}

/* The saved definition, with what is given now in its place. */
static struct kp_incident merge(const struct kp_incident *now, const struct kp_incident *then)
{
	struct kp_incident what = *then;

	what.id = now->id;
	what.input = now->input;
	what.db = now->db;
	for (const struct kp_col *c = kp_tables[0].cols; c->type; c++) {
		size_t at = c->offset - offsetof(struct kp_report, asked);

		if (is_asked(c) && differs(c, now, then))
			memcpy((char *)&what + at, (const char *)now + at,
			       c->type == KP_COL_U32 ? sizeof(uint32_t) : sizeof(uint64_t));
	}
	return what;
}

/* --- looking up --- */

static int load(const struct kp_incident *what, const struct log *log, struct kp_report *report,
		struct kp_err *err)
{
	struct kp_store *store;
	int code = kp_store_open(what->db, false, &store, err);

	if (code < 0)
		return code;
	code = kp_store_load(store, what->id, log->runs, log->run_cnt, report, err);
	kp_store_free(store);
	if (code < 0)
		kp_report_done(report);
	else if (!log->run_cnt)
		add_note(report, "this is what was saved; the log itself is not there");
	else if (strcmp(report->run, log->runs[log->run_cnt - 1].id) != 0)
		add_note(report, "this is of an earlier recording in the same log");
	return code;
}

/* Takes what a saved report does not answer from it: 1, to be analyzed as *ret_what says; 0: it is
 * the answer. */
static int compare(const struct kp_incident *now, const struct kp_report *saved,
		   struct kp_incident *ret_what, struct kp_buf *why)
{
	struct kp_buf options = {0};

	list_differences(now, &saved->asked, &options);
	if (options.len) {
		*ret_what = merge(now, &saved->asked);
		kp_buf_printf(why, "it was saved with another%s, and is made anew", options.data);
	}
	kp_buf_done(&options);
	return why->len != 0;
}

/* --- the whole --- */

static const char *keep(struct kp_report *r, const char *text)
{
	return text ? kp_arena_strndup(&r->arena, text, strlen(text)) : NULL;
}

static void remember(struct kp_report *r, const struct kp_incident *what)
{
	r->asked = *what;
	r->asked.id = r->asked.input = r->asked.db = NULL;
	r->asked.traces = keep(r, what->traces);
	r->asked.trace = keep(r, what->trace);
	r->asked.span = keep(r, what->span);
	r->asked.attribute = keep(r, what->attribute);
}

static int save(const struct kp_incident *what, const struct kp_report *report, struct kp_err *err)
{
	struct kp_store *store;
	int code = kp_store_open(what->db, true, &store, err);

	if (code < 0)
		return code;
	code = kp_store_save(store, report, err);
	kp_store_free(store);
	return code;
}

/* So that retention keeps what it was made of, if the log is the user's own. */
static void pin(const struct kp_incident *what, struct kp_report *report)
{
	struct kp_buf name = {0}, note = {0};
	struct kp_err err = {""};

	kp_buf_printf(&name, "%s.%s", what->id, report->run);
	if (!name.failed &&
	    kp_pin_time(what->input, name.data, report->t0_ns, report->t1_ns, &err) < 0) {
		kp_buf_printf(&note, "its part of the log is not kept: %s", err.text);
		add_note(report, note.failed ? "its part of the log is not kept" : note.data);
	}
	kp_buf_done(&name);
	kp_buf_done(&note);
}

static int make(const struct kp_incident *what, const struct log *log, const char *why,
		struct kp_report *report, struct kp_err *err)
{
	int code;

	if (log->code < 0) {
		*err = log->err;
		return log->code;
	}
	code = kp_incident_make(what, report, err);
	if (code < 0)
		return code;
	remember(report, what);
	if (why)
		add_note(report, why);
	/* A name or a sentence that had no room is missing in it. */
	if (report->arena.failed) {
		kp_report_done(report);
		return kp_err_sys(err, -ENOMEM, "cannot make the report");
	}
	if (save(what, report, err) == 0) {
		pin(what, report);
		return 0;
	}
	kp_err_prefix(err, 0, "the report is not saved");
	return 1;
}

static int analyze(const struct kp_incident *what, const struct log *log,
		   struct kp_report *ret_report, struct kp_err *err)
{
	struct kp_report saved = {.id = NULL};
	struct kp_incident again = *what;
	struct kp_buf why = {0};
	int code = is_defined(what) ? -ENOENT : load(what, log, &saved, err);

	if (code == 0 && compare(what, &saved, &again, &why) == 0) {
		*ret_report = saved;
		return 0;
	}
	/* Without a database a definition is still worth its report. Several logs have it: the one
	 * that was named is not there, which make() says. */
	if (code == 0 || code == -ENOENT || code == -EEXIST || what->traces)
		code = make(&again, log, why.len ? why.data : NULL, ret_report, err);
	kp_report_done(&saved);
	kp_buf_done(&why);
	return code;
}

static struct log read_log(const char *input)
{
	struct log log = {.runs = NULL};

	log.code = kp_log_read_runs(input, &log.runs, &log.run_cnt, &log.err);
	return log;
}

int kp_incident_analyze(const struct kp_incident *incident, struct kp_report *ret_report,
			struct kp_err *err)
{
	struct kp_incident what = *incident;
	struct log log = read_log(what.input);
	int code;

	memset(ret_report, 0, sizeof(*ret_report));
	if (what.traces)
		what.traces_sum = sum_of(what.traces);
	code = analyze(&what, &log, ret_report, err);
	free(log.runs);
	return code;
}

int kp_incident_list(const struct kp_incident *incident, bool json, struct kp_buf *out,
		     struct kp_err *err)
{
	struct log log = {.runs = NULL};
	struct kp_store *store;
	int code;

	if (incident->input)
		log = read_log(incident->input);
	if (log.code < 0) {
		*err = log.err;
		return log.code;
	}
	code = kp_store_open(incident->db, false, &store, err);
	if (code == 0) {
		code = kp_store_list(store, log.runs, log.run_cnt, json, out, err);
		kp_store_free(store);
	}
	free(log.runs);
	return code;
}
