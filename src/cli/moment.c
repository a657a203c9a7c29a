/* SPDX-License-Identifier: MIT
 * Moments of a log as users name them: the time of day, or +SECONDS from the log's start.
 */
#include "cli/cli.h"

int kp_set_moment(const char *value, void *target, struct kp_err *err)
{
	uint64_t ns;

	*(const char **)target = value;
	return kp_parse_time(*value == '+' ? value + 1 : value, &ns, err);
}

/* Says so if there was not one such moment. */
static uint64_t find(const struct kp_clock *clock, const char *text, uint64_t realtime_ns)
{
	struct kp_clock_moment moment = kp_clock_find(clock, realtime_ns);
	struct kp_buf note = {0};

	kp_clock_explain(clock, &moment, &note);
	if (note.len)
		kp_cli_say("note: %s: %s", text, note.data);
	kp_buf_done(&note);
	return moment.time_ns;
}

int kp_cli_moment(const char *text, const struct kp_log_info *info, const struct kp_clock *clock,
		  uint64_t *ret_ns, struct kp_err *err)
{
	uint64_t ns;
	int r = kp_parse_time(*text == '+' ? text + 1 : text, &ns, err);

	if (r >= 0)
		*ret_ns = *text == '+' ? info->start_time_ns + ns : find(clock, text, ns);
	return r;
}

int kp_cli_moment_wall(const char *text, const char *log, uint64_t *ret_realtime_ns,
		       struct kp_err *err)
{
	struct kp_log_filter filter = {.streams = KP_LOG_OWN};
	struct kp_log_reader *reader;
	struct kp_clock clock = {0};
	uint64_t ns;
	int r;

	if (*text != '+')
		return kp_parse_time(text, ret_realtime_ns, err);
	r = kp_parse_time(text + 1, &ns, err);
	if (r >= 0)
		r = kp_log_open(log, &filter, &reader, err);
	if (r < 0)
		return r;
	r = kp_clock_read(log, &clock, err);
	if (r >= 0)
		*ret_realtime_ns =
			kp_clock_to_real(&clock, kp_log_get_info(reader)->start_time_ns + ns);
	kp_clock_done(&clock);
	kp_log_reader_free(reader);
	return r < 0 ? r : 0;
}
