/* SPDX-License-Identifier: MIT
 *
 * What the log holds about one process, made ready for replay: its calls with their bytes, its
 * signals, the images that it began from, and the files that it mapped. Built event by event, so
 * that tests can do without a log; everything that an event says is checked before it is kept.
 *
 * The order of a task's calls is that of their seq; a hole makes the session incomplete.
 */
#ifndef KP_REPLAY_SESSION_H
#define KP_REPLAY_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"
#include "event/unreplayable.h"
#include "kprobe/event.h"
#include "kprobe/syscall.h"
#include "log/object.h"
#include "replay/fds.h"

/* One step of the process: a call that it completed, or a signal that it took. */
struct kp_step {
	const struct kp_ev_syscall *call; /* NULL for a signal */
	const struct kp_ev_signal_deliver *deliver;
	const struct kp_ev_file_map *file; /* of an mmap with a descriptor, if there was one */
	const struct kp_ev_file_state
		*state;   /* how the call left a file, if it changed or mapped one */
	uint32_t payload; /* first in session->payloads … */
	uint32_t payload_cnt;
	uint32_t image; /* of a successful exec: index in session->images; else UINT32_MAX */
};

struct kp_image_map {
	uint64_t start, end, offset;
	uint32_t prot;
	uint32_t file_id;
	bool shared;
	const char *path;
};

struct kp_image_memory {
	uint64_t addr;
	uint32_t len;
	const unsigned char *data;
};

/* The process at the end of an exec. */
struct kp_image {
	uint32_t number;
	uint64_t time_ns;
	uint64_t brk;
	uint64_t auxv;        /* address */
	uint64_t stack_limit; /* soft RLIMIT_STACK; 0: not known */
	struct user_regs_struct regs;
	KP_VEC(struct kp_image_map) maps; /* by address */
	KP_VEC(struct kp_image_memory) memory;
};

struct kp_archived {
	uint32_t id;
	uint64_t len;            /* of the file */
	uint64_t key;            /* kp_inode_key, of the device and inode that stat told */
	uint32_t state;          /* KP_FILE_ */
	struct kp_object object; /* its content, if it is whole */
	uint32_t masked;         /* bytes of it */
	int fd;                  /* memfd with the content; -1: not read, since nobody maps it */
	const char *path;
};

/* A process that this one made. */
struct kp_child {
	uint32_t pid;
	uint32_t
		seen_pid; /* what the call that made it gave: its number in the maker's namespace */
	uint64_t time_ns;
};

/* What other processes, recorded too, did to the content of a file. */
struct kp_foreign {
	uint64_t first_ns, last_ns;
	uint32_t pid;
};

/* In the place of a file's key: some file, which a call named by a path (truncate). */
#define KP_FOREIGN_PATH 1

struct kp_session {
	uint32_t pid;
	uint32_t own_pid; /* as the process knows itself, in its pid namespace; 0: not in the log */
	KP_VEC(struct kp_step) steps;
	KP_VEC(const struct kp_ev_payload *) payloads;
	KP_VEC(struct kp_image) images;
	KP_VEC(struct kp_archived) files;
	KP_VEC(const struct kp_ev_file_map *) file_maps;
	const struct kp_ev_file_state *pending_state; /* of the call whose record follows */
	KP_VEC(struct kp_foreign) foreign;
	struct kp_map foreign_index;          /* kp_inode_key → index in foreign */
	const struct kp_ev_task_exit *exit;   /* NULL: it outlived the recording */
	const struct kp_ev_replay_lint *lint; /* the first one, or NULL */
	const struct kp_ev_command *command;
	const struct kp_ev_cpu_model *cpu; /* NULL: not in the log */
	struct kp_fds fds;                 /* where 1 and 2 lead when the first image begins */
	uint32_t file_map_used;
	struct kp_map file_index;     /* id → index in files */
	struct kp_map image_index;    /* number → index in images */
	uint64_t last_ns;             /* time of the last event of the process */
	KP_VEC(struct kp_child) made; /* in the order of time */
	/* Children that borrowed its memory (vfork) up to their exec or exit; no images. */
	KP_VEC(struct kp_session *) children;
	struct kp_map child_index; /* pid → index of the last one in children */
	/* Of such a child: the call that made it, and when it began. */
	const struct kp_ev_syscall *maker;
	bool seen; /* its calls are in the log */
	uint64_t born_ns;
	struct kp_session *older; /* child of the same number before, or NULL */
	uint32_t pending;         /* payloads before this index have their call */
	bool ended;               /* the log has the recording's end */
	bool threads;             /* it had more than one thread */
	bool reused;              /* another process had its number later */
	bool over;                /* the recorder's run that it was part of */
	bool is_masked;           /* a run of the log masked what it recorded for replay */
	uint64_t masked;          /* bytes of what the session has that are masked … */
	uint32_t masked_seq;      /* … which it meets first at this call; 0: from its begin on */
	uint64_t lost;            /* events of the groups that replay needs */
	struct kp_arena arena;
	struct kp_session *parent; /* whose memory it is counted to, or NULL */
	uint64_t log_len;          /* by which limits are; 0: made by hand, without */
	int objects_fd;            /* the log's objects; -1: there are none */
	uint64_t held;             /* bytes of memory that are taken so far … */
	uint64_t held_max;         /* … of these; 0: no limit */
	char note[512];            /* something to say about the choice of the process, or "" */
	char refusal[512];         /* why it cannot be replayed; "": it can be tried */
};

/* Whether it holds what it may; kp_session_add then takes no more. */
bool kp_session_is_full(const struct kp_session *session);

void kp_session_init(struct kp_session *session, uint32_t pid);
void kp_session_done(struct kp_session *session);

/* Takes an event of the log, any kind; copies what it keeps. 0 or a negative errno with err. */
int kp_session_add(struct kp_session *session, const struct kp_hdr *event, struct kp_err *err);

/*
 * After the last event: puts the parts together, begins at the first image, and looks for what is
 * missing. What cannot be replayed has its reason in session->refusal.
 */
void kp_session_finish(struct kp_session *session);

/* A place for the stream of a child that borrows the memory; NULL: there is no memory, or no room
 * in the session. */
struct kp_session *kp_session_add_child(struct kp_session *session, uint32_t pid);

/* The last one of this pid that had begun at time_ns, or NULL. */
struct kp_session *kp_session_child(const struct kp_session *session, uint32_t pid,
				    uint64_t time_ns);

/* As kp_session_finish, for a child that borrows its parent's memory. */
void kp_session_finish_child(struct kp_session *session);

/* What the payloads of a step say of its call. */
struct kp_call_bytes kp_session_call_bytes(const struct kp_session *session,
					   const struct kp_step *step);

/* One number for a device and an inode, which no two files of a log share by chance. */
uint64_t kp_inode_key(uint32_t dev, uint64_t ino);

/* Whether a call made a child that borrows the process's memory until it execs or exits. */
bool kp_session_is_vfork(const struct kp_session *session, const struct kp_step *step);

/* Whether the step is an exec that succeeded. */
bool kp_step_is_exec(const struct kp_step *step);

struct kp_session_options {
	uint32_t pid;      /* 0: the command that was recorded */
	uint64_t held_max; /* bytes that may be kept of it; 0: by the log's length */
};

/*
 * Reads a log. Errors: as kp_log_open; -ENOENT when the log
 * has no such process, -EBADMSG when the log is damaged beyond opening.
 */
int kp_session_load(const char *path, const struct kp_session_options *options,
		    struct kp_session *session, struct kp_err *err);

/* Counts bytes that are masked, which the process meets first at this call; 0: at its begin. */
void kp_session_add_masked(struct kp_session *session, uint64_t len, uint32_t seq);

/* Counts memory that is kept; false: there is too much of it, and the session is refused. */
bool kp_session_take(struct kp_session *session, uint64_t len);

/* What the log says of an archived file, and what became of its content. 0 or a negative errno. */
int kp_session_add_file(struct kp_session *session, const struct kp_ev_file_info *event);
void kp_session_end_file(struct kp_session *session, const struct kp_ev_file_object *event);

/*
 * After kp_session_finish, for children too: brings the contents of the files that are mapped into
 * memory, from session->objects_fd. One that is not there, or not what the log says, is a reason in
 * session->refusal. held_max: as in the options. 0 or a negative errno.
 */
int kp_session_read_files(struct kp_session *session, uint64_t held_max, struct kp_err *err);

/* Those of a run that is over. */
void kp_session_drop_files(struct kp_session *session);

/* The archived file of this id, or NULL. */
const struct kp_archived *kp_session_file(const struct kp_session *session, uint32_t id);

/* Sets session->refusal unless an earlier reason stands there. */
void kp_session_refuse(struct kp_session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
