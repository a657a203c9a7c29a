/* SPDX-License-Identifier: MIT
 * What follows when all events of a process are there: its parts are put together and looked
 * through for what is missing; see session.h.
 */
#include "replay/session.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "event/syscall.h"

/* So many children of one number are looked at for the one that lived at a time. */
#define LIVES_MAX 64

bool kp_step_is_exec(const struct kp_step *step)
{
	return step->call && kp_call_is_exec(step->call);
}

/*
 * Drops what came before the first image: the calls of the recorder's child or of a fork, which
 * only tell where descriptors lead. The exec itself ends behind its image.
 */
static void drop_before_image(struct kp_session *session)
{
	uint64_t begin_ns = session->images.at[0].time_ns;
	uint32_t first = 0;

	while (first < session->steps.cnt) {
		const struct kp_step *step = &session->steps.at[first];
		bool exec = kp_step_is_exec(step);

		if (step->call)
			kp_fds_apply(&session->fds, step->call);
		if (step->call ? step->call->hdr.time_ns > begin_ns && !exec
			       : step->deliver->hdr.time_ns > begin_ns)
			break;
		first++;
		if (exec && step->call->hdr.time_ns > begin_ns)
			break;
	}
	if (first)
		memmove(session->steps.at, session->steps.at + first,
			(session->steps.cnt - first) * sizeof(*session->steps.at));
	session->steps.cnt -= first;
}

/* What is no call stops nobody: it is found before the run. */
static void check_vsyscalls(struct kp_session *session)
{
	char reason[KP_REASON_LEN];

	for (uint32_t i = 0; i < session->steps.cnt; i++) {
		const struct kp_ev_syscall *call = session->steps.at[i].call;

		if (call && kp_call_is_vsyscall(call) &&
		    kp_call_unreplayable(call, &(struct kp_call_bytes){0}, reason))
			kp_session_refuse(session,
					  "behind call %u the process %s, which replay cannot "
					  "serve",
					  call->seq - 1, reason);
	}
}

static void check_seq(struct kp_session *session)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < session->steps.cnt; i++) {
		const struct kp_step *step = &session->steps.at[i];
		uint32_t seq = step->call ? step->call->seq : step->deliver->seq;

		if (step->call && last && seq != last + 1)
			kp_session_refuse(
				session,
				"the log has a hole: after call %u of process %u comes call %u",
				last, session->pid, seq);
		if (step->deliver && last && seq != last)
			kp_session_refuse(
				session,
				"a signal taken after call %u of process %u stands after call %u",
				seq, session->pid, last);
		if (step->call)
			last = seq;
	}
}

/* Each exec that succeeded takes the next image. */
static void pair_exec(struct kp_session *session, struct kp_step *step, uint32_t *image)
{
	if (!session->images.cnt)
		return; /* a child that borrows memory ends here */
	if (*image < session->images.cnt)
		step->image = (*image)++;
	else
		kp_session_refuse(session,
				  "call %u replaced the program, but its image is not in the log",
				  step->call->seq);
}

/*
 * Each mmap of a descriptor takes its file_map, which was written after the call before (at
 * since_ns) and before the mmap's end.
 */
static void pair_map(struct kp_session *session, struct kp_step *step, uint64_t since_ns)
{
	const struct kp_ev_syscall *call = step->call;

	for (; session->file_map_used < session->file_maps.cnt; session->file_map_used++) {
		const struct kp_ev_file_map *map = session->file_maps.at[session->file_map_used];

		if (map->hdr.time_ns > call->hdr.time_ns)
			return;
		if (map->hdr.time_ns < since_ns || map->len != call->arg1 ||
		    map->fd != (uint32_t)call->arg4 || map->offset != call->arg5)
			continue;
		step->file = map;
		session->file_map_used++;
		return;
	}
}

static void pair_up(struct kp_session *session)
{
	uint64_t since_ns = 0;
	uint32_t image = 1;

	for (uint32_t i = 0; i < session->steps.cnt; i++) {
		struct kp_step *step = &session->steps.at[i];
		const struct kp_ev_syscall *call = step->call;

		if (!call)
			continue;
		if (kp_step_is_exec(step))
			pair_exec(session, step, &image);
		if (call->nr == KP_NR_mmap && !(call->arg3 & MAP_ANONYMOUS))
			pair_map(session, step, since_ns);
		since_ns = call->hdr.time_ns;
	}
}

static int compare_maps(const void *a, const void *b)
{
	const struct kp_image_map *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void sort_maps(struct kp_session *session, struct kp_image *image)
{
	if (image->maps.cnt)
		qsort(image->maps.at, image->maps.cnt, sizeof(*image->maps.at), compare_maps);
	for (uint32_t i = 1; i < image->maps.cnt; i++)
		if (image->maps.at[i].start < image->maps.at[i - 1].end)
			kp_session_refuse(session, "image %u has mappings that overlap",
					  image->number);
}

/* A file that the process mapped must be the one that it mapped. */
static void check_file(struct kp_session *session, uint32_t id)
{
	static const char *const why[] = {
		[KP_FILE_CHANGED] = "it was changed before it was copied",
		[KP_FILE_UNREADABLE] = "it could not be read",
		[KP_FILE_DROPPED] = "the recording ended before it was copied",
		[KP_FILE_UNWRITTEN] = "the recorder could not write it (was the disk full?)",
	};
	const struct kp_archived *file = kp_session_file(session, id);

	if (file && file->state != KP_FILE_WHOLE)
		kp_session_refuse(
			session, "the content of '%s', which was mapped, is not in the log: %s",
			file->path,
			file->state < sizeof(why) / sizeof(*why) ? why[file->state] : "unknown");
}

static void check_files(struct kp_session *session)
{
	for (uint32_t i = 0; i < session->images.cnt; i++)
		for (uint32_t k = 0; k < session->images.at[i].maps.cnt; k++)
			check_file(session, session->images.at[i].maps.at[k].file_id);
	for (uint32_t i = 0; i < session->file_maps.cnt; i++)
		check_file(session, session->file_maps.at[i]->file_id);
}

struct kp_session *kp_session_child(const struct kp_session *session, uint32_t pid,
				    uint64_t time_ns)
{
	const uint64_t *at = kp_map_get(&session->child_index, pid);
	struct kp_session *child = at ? session->children.at[*at] : NULL;

	for (int n = 0; child && n < LIVES_MAX && child->born_ns > time_ns; n++)
		child = child->older;
	return child && child->born_ns <= time_ns ? child : NULL;
}

struct kp_call_bytes kp_session_call_bytes(const struct kp_session *session,
					   const struct kp_step *step)
{
	struct kp_call_bytes bytes = {0};

	for (uint32_t i = 0; i < step->payload_cnt; i++)
		kp_call_bytes_add(&bytes, session->payloads.at[step->payload + i]);
	return bytes;
}

bool kp_session_is_vfork(const struct kp_session *session, const struct kp_step *step)
{
	const uint64_t both = CLONE_VM | CLONE_VFORK;
	struct kp_call_bytes bytes = {0};

	if (!step->call || step->call->ret <= 0)
		return false;
	/* Only there the bytes matter; they may be on disk. */
	if (step->call->nr == KP_NR_clone3)
		bytes = kp_session_call_bytes(session, step);
	return (kp_call_clone_flags(step->call, &bytes) & both) == both;
}

/* What of the bytes of calls and signals is masked. */
static void count_masked(struct kp_session *session)
{
	const struct kp_step *step = session->steps.at;

	for (uint32_t i = 0; i < session->steps.cnt; i++, step++) {
		if (step->deliver)
			kp_session_add_masked(session, step->deliver->masked, step->deliver->seq);
		for (uint32_t k = 0; k < step->payload_cnt; k++)
			kp_session_add_masked(session,
					      session->payloads.at[step->payload + k]->masked,
					      step->call->seq);
	}
}

void kp_session_finish_child(struct kp_session *session)
{
	const struct kp_ev_syscall *first = session->steps.cnt ? session->steps.at[0].call : NULL;
	uint32_t end = 0;

	session->seen = first != NULL;
	check_seq(session);
	/* Its first record is its return from the call that made it. */
	if (first && first->seq != 1)
		kp_session_refuse(session, "its first calls are not in the log");
	if (first && first->ret == 0 && kp_syscall_has(first->nr, KP_TRAIT_FORKS)) {
		session->steps.cnt--;
		memmove(session->steps.at, session->steps.at + 1,
			session->steps.cnt * sizeof(*session->steps.at));
	}
	while (end < session->steps.cnt && !kp_step_is_exec(&session->steps.at[end]))
		end++;
	session->steps.cnt = end < session->steps.cnt ? end + 1 : end;
	pair_up(session);
	count_masked(session);
}

/*
 * A signal that ends a process whom nobody traces is delivered as SIGKILL: the kernel ends the
 * whole group by that. Which it was stands in the exit's code.
 */
static void name_last_signal(struct kp_session *session)
{
	uint32_t sig = session->exit ? session->exit->exit_code & 0x7f : 0;
	struct kp_ev_signal_deliver *last;

	if (!sig || !session->steps.cnt)
		return;
	last = (struct kp_ev_signal_deliver *)session->steps.at[session->steps.cnt - 1].deliver;
	if (last && last->sig == SIGKILL)
		last->sig = sig;
}

void kp_session_finish(struct kp_session *session)
{
	if (session->lost)
		kp_session_refuse(session, "the recorder lost %llu events that replay needs",
				  (unsigned long long)session->lost);
	if (!session->images.cnt) {
		kp_session_refuse(
			session,
			"process %u was not recorded from its exec (a fork that never ran a "
			"program of its own, a command that could not be executed, or one recorded "
			"from the middle of its life)",
			session->pid);
		return;
	}
	if (session->threads)
		kp_session_refuse(session, "process %u is multi-threaded", session->pid);
	for (uint32_t i = 0; i < session->images.cnt; i++)
		sort_maps(session, &session->images.at[i]);
	drop_before_image(session);
	check_seq(session);
	check_vsyscalls(session);
	pair_up(session);
	name_last_signal(session);
	count_masked(session);
	check_files(session);
}
