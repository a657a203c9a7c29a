/* SPDX-License-Identifier: MIT
 * A replay's result as JSON; kprobe-replay(1) documents the members.
 */
#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "replay/replay.h"

static void add_text(cJSON *object, const char *name, const char *text)
{
	if (text && *text)
		cJSON_AddStringToObject(object, name, text);
	else
		cJSON_AddNullToObject(object, name);
}

static void add_divergence(cJSON *root, const struct kp_replay_result *result)
{
	cJSON *object = cJSON_AddObjectToObject(root, "divergence");

	cJSON_AddNumberToObject(object, "event", result->seq);
	cJSON_AddNumberToObject(object, "time_ns", (double)result->time_ns);
	add_text(object, "expected", result->expected);
	add_text(object, "got", result->got);
	if (result->differs_at >= 0)
		cJSON_AddNumberToObject(object, "first_differing_byte", (double)result->differs_at);
	else
		cJSON_AddNullToObject(object, "first_differing_byte");
	add_text(object, "evidence", result->evidence.data);
}

void kp_replay_print_json(const struct kp_session *session, const struct kp_replay_result *result,
			  struct kp_buf *out)
{
	cJSON *root = cJSON_CreateObject();
	char *text;

	cJSON_AddNumberToObject(root, "version", 1);
	cJSON_AddStringToObject(root, "verdict", kp_verdict_name(result->verdict));
	add_text(root, "reason", result->reason);
	cJSON_AddNumberToObject(root, "pid", session->pid);
	cJSON_AddNumberToObject(root, "calls", (double)result->calls);
	cJSON_AddNumberToObject(root, "signals", (double)result->signals);
	cJSON_AddNumberToObject(root, "bytes_compared", (double)result->bytes_in);
	cJSON_AddNumberToObject(root, "bytes_injected", (double)result->bytes_out);
	cJSON_AddNumberToObject(root, "bytes_not_seen", (double)result->bytes_unseen);
	cJSON_AddBoolToObject(root, "stopped", result->stopped);
	cJSON_AddBoolToObject(root, "recording_ended_first", result->truncated);
	if (result->exit_status >= 0)
		cJSON_AddNumberToObject(root, "wait_status", result->exit_status);
	else
		cJSON_AddNullToObject(root, "wait_status");
	if (result->verdict == KP_VERDICT_DIVERGED)
		add_divergence(root, result);
	text = cJSON_Print(root);
	if (text)
		kp_buf_puts(out, text);
	else
		out->failed = true;
	kp_buf_putc(out, '\n');
	cJSON_free(text);
	cJSON_Delete(root);
}
