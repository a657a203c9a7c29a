/* SPDX-License-Identifier: MIT
 * kprobe dump --verify: what is missing of a log, and where.
 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/dump.h"
#include "log/verify.h"

static const struct {
	const char *name; /* in JSON, and before a line */
	int status;
} grades[] = {
	[KP_VERIFY_NOTE] = {"note", KP_EXIT_OK},
	[KP_VERIFY_LOST] = {"lost", KP_EXIT_LOST},
	[KP_VERIFY_DAMAGE] = {"damage", KP_EXIT_CORRUPT},
};

struct output {
	bool is_json;
	uint64_t cnt;
	struct kp_buf out;
};

static void tell(void *arg, enum kp_verify_grade grade, const char *where, const char *what)
{
	struct output *o = arg;

	if (o->is_json) {
		kp_buf_printf(&o->out, "%s{\"grade\":\"%s\",\"where\":", o->cnt++ ? "," : "",
			      grades[grade].name);
		kp_buf_json(&o->out, where, strlen(where));
		kp_buf_puts(&o->out, ",\"what\":");
		kp_buf_json(&o->out, what, strlen(what));
		kp_buf_putc(&o->out, '}');
		return;
	}
	kp_buf_printf(&o->out, "%s: ", grades[grade].name);
	kp_text_puts(&o->out, where);
	kp_buf_puts(&o->out, ": ");
	kp_text_puts(&o->out, what);
	kp_buf_putc(&o->out, '\n');
}

static void print_json(struct output *o, const struct kp_verified *v)
{
	kp_buf_printf(&o->out,
		      "],\"whole\":%s,\"boots\":%" PRIu64 ",\"segments\":%" PRIu64
		      ",\"blocks\":%" PRIu64 ",\"events\":%" PRIu64 ",\"objects\":%" PRIu64
		      ",\"damages\":%" PRIu64 ",\"lost\":%" PRIu64 "}\n",
		      v->worst == KP_VERIFY_DAMAGE ? "false" : "true", v->boot_cnt, v->segment_cnt,
		      v->block_cnt, v->event_cnt, v->object_cnt, v->damage_cnt, v->lost);
}

static void print_text(struct output *o, const struct kp_verified *v)
{
	kp_buf_printf(&o->out,
		      "boots %" PRIu64 "\nsegments %" PRIu64 "\nblocks %" PRIu64 "\nevents %" PRIu64
		      "\nobjects %" PRIu64 "\nlost %" PRIu64 "\n",
		      v->boot_cnt, v->segment_cnt, v->block_cnt, v->event_cnt, v->object_cnt,
		      v->lost);
	if (v->worst == KP_VERIFY_DAMAGE)
		kp_buf_printf(&o->out, "damaged in %" PRIu64 " place%s\n", v->damage_cnt,
			      v->damage_cnt > 1 ? "s" : "");
	else
		kp_buf_printf(&o->out, "whole%s\n",
			      v->worst == KP_VERIFY_LOST ? ", but events were lost" : "");
}

int dump_verify(const char *log, bool is_json)
{
	struct output o = {.is_json = is_json};
	struct kp_verify_options options = {.tell = tell, .arg = &o};
	struct kp_verified verified;
	struct kp_err err = {""};
	int r, status;

	kp_buf_puts(&o.out, is_json ? "{\"findings\":[" : "");
	r = kp_verify(log, &options, &verified, &err);
	if (r < 0) {
		kp_buf_done(&o.out);
		kp_cli_error(&err);
		return kp_cli_status(r);
	}
	(is_json ? print_json : print_text)(&o, &verified);
	status = kp_cli_finish(&o.out);
	return status == KP_EXIT_OK ? grades[verified.worst].status : status;
}
