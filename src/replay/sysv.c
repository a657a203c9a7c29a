/* SPDX-License-Identifier: MIT
 * System V shared memory; see sysv.h.
 */
#include "replay/sysv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "replay/special.h"

#define PAGE 4096ULL
#define HUGE_PAGE (2ULL << 20)
/* Segments of one process; the kernel's own default for the machine. */
#define SEGMENT_MAX 4096

struct segment {
	uint64_t len; /* 0: not made so far */
	int fd;
};

struct kp_sysv {
	KP_VEC(struct segment) segments;
	struct kp_map index;    /* shmid → index in segments */
	struct kp_map attached; /* address → length; 0: no longer */
};

static int add_segment(struct kp_sysv *sysv, uint64_t id)
{
	struct segment segment = {.fd = -1};

	if (kp_map_get(&sysv->index, id))
		return 0;
	if (sysv->segments.cnt == SEGMENT_MAX)
		return -E2BIG;
	segment.fd = memfd_create("SYSV", MFD_CLOEXEC);
	if (segment.fd < 0)
		return -errno;
	if (KP_VEC_PUSH(&sysv->segments, segment) < 0) {
		close(segment.fd);
		return -ENOMEM;
	}
	return kp_map_put(&sysv->index, id, sysv->segments.cnt - 1);
}

int kp_sysv_new(const struct kp_session *session, struct kp_sysv **ret_sysv, struct kp_err *err)
{
	struct kp_sysv *sysv = calloc(1, sizeof *sysv);
	int rc = sysv ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < session->steps.cnt && rc == 0; i++) {
		const struct kp_ev_syscall *call = session->steps.at[i].call;

		if (call && call->nr == KP_NR_shmget && call->ret >= 0)
			rc = add_segment(sysv, (uint32_t)call->ret);
	}
	if (rc < 0) {
		kp_sysv_free(sysv);
		return kp_err_sys(err, rc, "cannot make memory for shared segments");
	}
	*ret_sysv = sysv;
	return 0;
}

void kp_sysv_free(struct kp_sysv *sysv)
{
	if (!sysv)
		return;
	for (uint32_t i = 0; i < sysv->segments.cnt; i++)
		close(sysv->segments.at[i].fd);
	KP_VEC_DONE(&sysv->segments);
	kp_map_done(&sysv->index);
	kp_map_done(&sysv->attached);
	free(sysv);
}

size_t kp_sysv_fd_cnt(const struct kp_sysv *sysv)
{
	return sysv->segments.cnt;
}

int kp_sysv_fd(const struct kp_sysv *sysv, size_t index)
{
	return sysv->segments.at[index].fd;
}

void kp_sysv_exec(struct kp_sysv *sysv)
{
	kp_map_done(&sysv->attached);
	memset(&sysv->attached, 0, sizeof sysv->attached);
}

static struct segment *find(const struct kp_sysv *sysv, uint64_t id)
{
	const uint64_t *index = kp_map_get(&sysv->index, (uint32_t)id);

	return index ? &sysv->segments.at[*index] : NULL;
}

/* A segment begins as zeros, if it is new; whether one without IPC_EXCL is, the log does not say.
 */
int kp_special_shmget(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	struct segment *segment = find(engine->sysv, call->ret);
	uint64_t both = IPC_CREAT | IPC_EXCL, page = call->arg2 & SHM_HUGETLB ? HUGE_PAGE : PAGE;
	bool made = call->arg0 == IPC_PRIVATE || (call->arg2 & both) == both;

	if (!segment)
		return kp_engine_refuse(engine, "call %u: segment %lld is not known", call->seq,
					(long long)call->ret);
	if (!made && !segment->len)
		kp_files_doubt(engine->files,
			       "call %u gets a System V segment that may hold what another process "
			       "left there",
			       call->seq);
	if (made || (!segment->len && call->arg1)) {
		segment->len = (call->arg1 + page - 1) & ~(page - 1);
		if (ftruncate(segment->fd, 0) < 0 || ftruncate(segment->fd, segment->len) < 0)
			return kp_engine_refuse(engine,
						"call %u: no room for a segment of %llu bytes",
						call->seq, (unsigned long long)call->arg1);
	}
	return kp_engine_emulate(engine, step);
}

int kp_special_shmat(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	const struct segment *segment = find(engine->sysv, call->arg0);
	uint64_t args[6] = {call->ret, 0, PROT_READ, MAP_SHARED | MAP_FIXED, 0, 0};
	int64_t value;
	int rc;

	if (!segment || !segment->len)
		return kp_engine_refuse(
			engine,
			"call %u (shmat) attaches segment %d, which the process did "
			"not make",
			call->seq, (int)call->arg0);
	args[1] = segment->len;
	args[2] |= call->arg2 & SHM_RDONLY ? 0 : PROT_WRITE;
	args[2] |= call->arg2 & SHM_EXEC ? PROT_EXEC : 0;
	args[4] = (uint64_t)segment->fd;
	rc = kp_tracee_inject(&engine->tracee, SYS_mmap, args, &value, engine->err);
	if (rc < 0)
		return rc;
	if (value != call->ret)
		return kp_engine_refuse(engine, "call %u: cannot attach %llu bytes at 0x%llx here",
					call->seq, (unsigned long long)args[1],
					(unsigned long long)call->ret);
	kp_files_share(engine->files);
	if (kp_map_put(&engine->sysv->attached, call->ret, segment->len) < 0)
		return kp_err_set(engine->err, -ENOMEM, "out of memory");
	return kp_engine_emulate(engine, step);
}

int kp_special_shmdt(struct kp_engine *engine, const struct kp_step *step)
{
	const struct kp_ev_syscall *call = step->call;
	uint64_t *len = kp_map_get(&engine->sysv->attached, call->arg0);
	uint64_t args[6] = {call->arg0};
	int64_t value;
	int rc;

	if (!len || !*len)
		return kp_engine_refuse(engine,
					"call %u (shmdt) detaches what was not attached at 0x%llx",
					call->seq, (unsigned long long)call->arg0);
	args[1] = *len;
	*len = 0;
	rc = kp_tracee_inject(&engine->tracee, SYS_munmap, args, &value, engine->err);
	return rc < 0 ? rc : kp_engine_emulate(engine, step);
}
