/* SPDX-License-Identifier: MIT
 * How a recording ends: its command, its time, signals; see recorder_in.h.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "record/recorder_in.h"

/* The command, and then what it left, has this long to end by the signal that was passed on. */
#define COMMAND_GRACE_MS 10000
#define GRACE_MS 5000
/* Of two interrupts from a terminal that the command has too (a shell's or a debugger's own key,
 * perhaps) the second ends the recording only if it comes this soon. */
#define AGAIN_MS 5000

/* Its processes are killed, and it has not ended: do its threads still copy what they mapped? */
static void on_hang_timer(uv_timer_t *timer)
{
	struct recorder *r = timer->data;
	uint64_t copied = kp_command_copied(r->command);

	if (copied != r->copied) {
		r->copied = copied;
		return;
	}
	kp_recorder_warn(
		r,
		"a file that the command maps does not answer: its file system hangs, and the log "
		"lacks the file");
	r->is_kept = true;
	uv_stop(&r->loop);
}

/* Ends the command and what it left, which cannot live on without the recorder. */
static void end_command(struct recorder *r)
{
	char names[256];
	size_t cnt = kp_command_left(r->command, names, sizeof(names));

	if (cnt)
		kp_recorder_notice(
			r,
			"%zu recorded process%s killed, since their mmap calls are held by the "
			"recorder and would fail without it: %s",
			cnt, cnt > 1 ? "es are" : " is", names);
	r->copied = kp_command_copied(r->command);
	kp_command_end(r->command);
	uv_timer_start(&r->grace_timer, on_hang_timer, GRACE_MS, GRACE_MS);
}

/* The rings are read until the command has ended too. */
static void end(struct recorder *r, enum kp_end_reason reason, int sig)
{
	if (r->is_ending)
		return;
	r->is_ending = true;
	r->reason = reason;
	r->end_sig = sig;
	if (r->command)
		end_command(r);
	else
		uv_stop(&r->loop);
}

static void on_end_timer(uv_timer_t *timer)
{
	end(timer->data, KP_END_TIME, 0);
}

static void on_grace_over(uv_timer_t *timer)
{
	struct recorder *r = timer->data;

	end(r, KP_END_SIGNAL, r->asked);
}

/* Passes a signal on to what the command left, and gives it time to end: one signal should be
 * enough to end a recorder. */
static void end_left(struct recorder *r)
{
	kp_command_kill(r->command, r->asked);
	uv_timer_start(&r->grace_timer, on_grace_over, GRACE_MS, 0);
}

/* Whether a command may take as long as it likes after the signal: who has pressed a key can press
 * it again, but a service's manager, a closed terminal and a power failure ask once. */
static bool may_wait(int sig)
{
	return sig == SIGINT || sig == SIGQUIT;
}

static void tell_left(struct recorder *r)
{
	const char *name = r->options->argv[0];
	bool waits = may_wait(r->asked);
	char names[256];
	size_t cnt = kp_command_left(r->command, names, sizeof(names));

	if (!cnt)
		return;
	r->has_told_left = true;
	if (r->is_left_alone)
		kp_recorder_notice(
			r,
			"%s has ended; waiting for %zu process%s that it left: %s; interrupt%s to "
			"end the recording",
			name, cnt, cnt > 1 ? "es" : "", names, r->asked ? " again" : "");
	else
		kp_recorder_notice(
			r,
			"%s was passed on to %s, which has not ended yet; %sinterrupt again to end "
			"the recording%s",
			strsignal(r->asked), name, waits ? "" : "it is killed soon; ",
			waits ? "" : " at once");
}

void kp_recorder_watch_command(struct recorder *r)
{
	if (!r->command || r->is_ending)
		return;
	if (!r->is_left_alone && kp_command_has_ended(r->command)) {
		r->is_left_alone = true;
		r->has_told_left = false;
		if (r->asked)
			end_left(r);
	}
	if (!r->has_told_left && (r->is_left_alone || r->asked))
		tell_left(r);
}

/* The terminal sends these to the command too if it is in the same foreground group. */
static bool command_has_it(int sig)
{
	return (sig == SIGINT || sig == SIGQUIT) && isatty(STDIN_FILENO) &&
	       tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* The first is for the command and what it left, the next ends the recording. */
static void on_signal(uv_signal_t *handle, int sig)
{
	struct recorder *r = handle->data;
	bool is_shared = command_has_it(sig);
	bool is_again = r->asked && (!is_shared || uv_now(&r->loop) - r->asked_ms < AGAIN_MS);

	if (r->is_ending) { /* without what is still being copied */
		r->is_kept = r->command;
		uv_stop(&r->loop);
		return;
	}
	if (!r->command || is_again) {
		end(r, KP_END_SIGNAL, sig);
		return;
	}
	r->asked = sig;
	r->asked_ms = uv_now(&r->loop);
	r->has_told_left = false;
	if (r->is_left_alone) {
		end_left(r);
		return;
	}
	if (!is_shared)
		kp_command_kill(r->command, sig);
	if (!may_wait(sig))
		uv_timer_start(&r->grace_timer, on_grace_over, COMMAND_GRACE_MS, 0);
}

static void on_command_end(uv_async_t *async)
{
	struct recorder *r = async->data;

	if (!r->is_ending) {
		r->reason = KP_END_COMMAND;
		r->end_sig = r->asked;
	}
	uv_stop(&r->loop);
}

void kp_recorder_free_command(struct recorder *r)
{
	struct kp_err err;

	if (r->command) {
		r->objects_len = kp_command_written(r->command);
		if (kp_command_error(r->command, &err) < 0)
			r->error = err;
	}
	if (r->is_kept)
		kp_pipeline_keep(r->pipeline);
	else
		kp_command_free(r->command);
	r->command = NULL;
}

/* In the tracing thread. */
static void command_ended(void *arg, int status)
{
	struct recorder *r = arg;

	r->result.command_status = status;
	r->result.command_ended = true;
	uv_async_send(&r->command_end);
}

/* In the tracing thread. */
static void command_warns(void *arg, const char *text)
{
	kp_recorder_warn(arg, text);
}

int kp_recorder_start_command(struct recorder *r, struct kp_err *err)
{
	struct kp_command_options options = {.argv = r->options->argv,
					     .sink = kp_pipeline_command_sink(r->pipeline),
					     .is_masked = r->options->is_masked,
					     .process = &r->process,
					     .on_warning = command_warns,
					     .on_end = command_ended,
					     .arg = r};
	pid_t pid;
	int error = kp_pipeline_make_objects(r->pipeline, &options.objects, err);

	if (error >= 0)
		error = kp_command_start(&options, &r->command, &pid, err);
	if (error >= 0)
		error = kp_probes_select(r->probes, &pid, 1, err);
	if (error >= 0)
		kp_command_go(r->command);
	return error;
}

int kp_recorder_init_end(struct recorder *r)
{
	int error, sig;

	uv_timer_init(&r->loop, &r->end_timer);
	uv_timer_init(&r->loop, &r->grace_timer);
	r->end_timer.data = r->grace_timer.data = r;
	error = uv_async_init(&r->loop, &r->command_end, on_command_end);
	r->command_end.data = r;
	for (size_t i = 0; error >= 0 && (sig = kp_process_end_signal(&r->process, i)); i++) {
		error = uv_signal_init(&r->loop, &r->signals[i]);
		r->signals[i].data = r;
		if (error >= 0)
			error = uv_signal_start(&r->signals[i], on_signal, sig);
	}
	return error;
}

void kp_recorder_start_end_timer(struct recorder *r)
{
	if (r->options->duration_ns)
		uv_timer_start(&r->end_timer, on_end_timer,
			       (r->options->duration_ns + 999999) / 1000000, 0);
}
