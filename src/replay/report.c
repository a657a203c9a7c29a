/* SPDX-License-Identifier: MIT
 * A replay's result as JSON, a member per line; kprobe-replay(1) documents the members.
 */
#include <inttypes.h>
#include <string.h>

#include "replay/replay.h"

static void begin(const char *name, struct kp_buf *out)
{
	kp_buf_printf(out, ",\n \"%s\": ", name);
}

static void put_text(const char *name, const char *text, struct kp_buf *out)
{
	begin(name, out);
	if (text && *text)
		kp_buf_json(out, text, strlen(text));
	else
		kp_buf_puts(out, "null");
}

static void put_number(const char *name, uint64_t number, struct kp_buf *out)
{
	begin(name, out);
	kp_buf_printf(out, "%" PRIu64, number);
}

static void put_bool(const char *name, bool value, struct kp_buf *out)
{
	begin(name, out);
	kp_buf_puts(out, value ? "true" : "false");
}

/* A number that is not there when it is below 0. */
static void put_optional(const char *name, int64_t number, struct kp_buf *out)
{
	if (number < 0)
		put_text(name, NULL, out);
	else
		put_number(name, (uint64_t)number, out);
}

static void put_uncovered(const struct kp_replay_result *result, struct kp_buf *out)
{
	const char *clause = result->uncovered.data;

	begin("not_covered", out);
	kp_buf_putc(out, '[');
	for (size_t at = 0; at < result->uncovered.len; at += strlen(clause + at) + 1) {
		kp_buf_puts(out, at ? ", " : "");
		kp_buf_json(out, clause + at, strlen(clause + at));
	}
	kp_buf_putc(out, ']');
}

static void put_divergence(const struct kp_replay_result *result, struct kp_buf *out)
{
	begin("divergence", out);
	kp_buf_printf(out, "{\"event\": %" PRIu32, result->seq);
	put_number("time_ns", result->time_ns, out);
	put_text("expected", result->expected, out);
	put_text("got", result->got, out);
	put_optional("first_differing_byte", result->differs_at, out);
	put_text("evidence", result->evidence.data, out);
	kp_buf_putc(out, '}');
}

void kp_replay_print_json(const struct kp_session *session, const struct kp_replay_result *result,
			  struct kp_buf *out)
{
	kp_buf_puts(out, "{\"version\": 1");
	put_text("verdict", kp_verdict_name(result->verdict), out);
	put_text("reason", result->reason, out);
	put_number("pid", session->pid, out);
	put_number("calls", result->calls, out);
	put_number("signals", result->signals, out);
	put_number("bytes_compared", result->bytes_in, out);
	put_number("bytes_injected", result->bytes_out, out);
	put_number("bytes_not_seen", result->bytes_unseen, out);
	put_number("bytes_masked", session->masked, out);
	put_uncovered(result, out);
	put_bool("stopped", result->stopped, out);
	put_bool("recording_ended_first", result->truncated, out);
	put_optional("wait_status", result->exit_status, out);
	put_text("missing_walls", result->missing_walls, out);
	if (result->verdict == KP_VERDICT_DIVERGED)
		put_divergence(result, out);
	kp_buf_puts(out, "}\n");
}
