/* SPDX-License-Identifier: MIT
 *
 * What happened on one host, compact and indexed for the walk: per task the changes of its state
 * and its system calls, per CPU who occupied it and which interrupts took it, and the objects that
 * connect tasks (sockets, block requests, signals). Built from the events of a log in the order of
 * time; nothing here interprets causes.
 *
 * All times are CLOCK_MONOTONIC nanoseconds. Within each list times never decrease: an event that
 * comes with an earlier time than its predecessor in the list takes that one's time.
 */
#ifndef KP_ANALYZE_MODEL_H
#define KP_ANALYZE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "event/addr.h"
#include "event/origin.h"
#include "kprobe/event.h"

#define KP_NONE UINT32_MAX /* no such index */
#define KP_NEVER UINT64_MAX

enum kp_rec_kind {
	KP_REC_RUN,      /* runs on cpu from here */
	KP_REC_RUNNABLE, /* left cpu although it could run on */
	KP_REC_BLOCKED,  /* left cpu to wait; aux: TASK_ bits */
	KP_REC_WAKE,     /* made runnable; aux: index of the wake, or KP_NONE */
	KP_REC_MIGRATE,  /* runnable, now in the queue of cpu */
	KP_REC_DEAD,     /* gone */
	KP_REC_LOST,     /* from here on it is not known: events are missing */
	KP_REC_BEFORE,   /* from here on as the next record says of before (after finish) */
};

/* kp_rec.flags */
enum {
	KP_RECF_THROTTLED = 1, /* RUNNABLE: because its CPU quota is used up */
	KP_RECF_IOWAIT = 2,    /* BLOCKED: the kernel counts it as waiting for I/O */
	KP_RECF_MAJOR = 4,     /* BLOCKED: a major fault ended after it */
	KP_RECF_SNAPSHOT = 8,  /* known from the snapshot, not from a switch */
	KP_RECF_NEW = 16,      /* WAKE: the task's first */
	KP_RECF_FROZEN = 32,   /* BLOCKED: its control group is frozen, or the whole machine */
};

/* A change of a task's state. */
struct kp_rec {
	uint64_t t_ns;
	uint32_t aux;
	uint16_t cpu;
	uint8_t kind;
	uint8_t flags;
};

struct kp_wake {
	uint64_t t_ns;
	uint64_t obj;
	uint32_t waker; /* task, or with an interrupt bit in ctx the bystander */
	uint32_t target;
	uint32_t sock; /* woken socket, or KP_NONE */
	uint8_t ctx;
	uint8_t softirq;
	uint16_t cpu; /* of the waker */
};

/* kp_call.flags */
enum {
	/* It has no record: at some moments the task was seen to be in it. entry_ns and exit_ns are
	 * the first and the last of them; ret is known of what was sent or received, else 0. */
	KP_CALLF_SEEN = 1,
	KP_CALLF_OPEN = 2,     /* the task waits in it */
	KP_CALLF_SENT = 4,     /* it sent on a socket … */
	KP_CALLF_RECEIVED = 8, /* … or received from it */
};

struct kp_call {
	uint64_t entry_ns;
	uint64_t exit_ns;
	int64_t ret;
	uint64_t arg0;
	uint64_t arg1;
	uint64_t ino;
	uint32_t dev;
	uint32_t sock; /* or KP_NONE */
	uint32_t nr;
	uint32_t timeout_ms; /* SEEN, of poll and epoll_wait; 0: none, or not known */
	uint8_t obj;         /* KP_OBJ_ */
	uint8_t flags;
};

/* Bytes, or the end of a stream, that a task gave to a socket or took from one. */
struct kp_msg {
	uint64_t t0_ns; /* out: the first moment at which the task was seen sending; else t1_ns */
	uint64_t t1_ns;
	uint32_t task;
	uint32_t sock;
	uint32_t tcp_seq; /* TCP: position behind it; else 0 */
	bool is_out;
	bool is_end; /* of the stream */
};

/* Indexes of messages, by their ends. */
typedef KP_VEC(uint32_t) kp_msg_list;

struct kp_interval {
	uint64_t t0_ns;
	uint64_t t1_ns;
	uint32_t what; /* irq: vector, KP_SOFTIRQ added for softirqs */
};
#define KP_SOFTIRQ 0x10000u

/* One life of a tid. */
struct kp_task {
	uint32_t pid;
	uint32_t tid;
	uint64_t start_ns; /* its fork, or 0: before the log */
	uint64_t end_ns;   /* its exit, or KP_NEVER */
	uint32_t parent;   /* task that forked it, or KP_NONE */
	uint32_t name;     /* newest of its names */
	uint32_t older;    /* earlier life of the same tid, or KP_NONE */
	uint32_t maj_flt;
	uint32_t last_blocked; /* index of its last BLOCKED record, or KP_NONE */
	uint64_t restarted_ns; /* a handler ran behind which calls are made again; 0: none */
	uint32_t early_wake;   /* wake that came while it still ran, or KP_NONE */
	bool kthread;
	bool maj_seen; /* maj_flt is known */
	bool has_lost; /* it has LOST records */
	KP_VEC(struct kp_rec) recs;
	KP_VEC(struct kp_call) calls;
	KP_VEC(struct kp_interval) reclaims;
	kp_msg_list msgs;
};

struct kp_name {
	uint64_t t_ns; /* valid from */
	uint32_t older;
	kp_comm comm;
};

struct kp_occupant {
	uint64_t t_ns; /* from here on */
	uint32_t task; /* task 0 is idle; KP_NONE: not known */
	uint32_t prev; /* who left then */
};

/* Times in which scheduling events may be missing; after finish disjoint, by begin. */
typedef KP_VEC(struct kp_interval) kp_holes;

struct kp_cpu {
	KP_VEC(struct kp_occupant) occupants;
	KP_VEC(struct kp_interval) irqs; /* after finish: disjoint, by begin */
	kp_holes holes;
};

struct kp_send {
	uint64_t entry_ns;
	uint64_t exit_ns;
	uint32_t task;
	uint32_t nr;
	uint32_t sock;
};

struct kp_sock {
	uint64_t number;
	uint64_t ino;         /* 0: not known */
	kp_addr laddr, raddr; /* with the ports and netns: unknown if it is not told */
	uint16_t lport, rport;
	uint32_t netns;
	uint64_t peer_ino; /* unix: of the other end's; 0: not known */
	uint32_t peer;     /* unix: the other end, if one of the two tells it; or KP_NONE */
	uint8_t obj;       /* KP_OBJ_ */
	bool is_told;
	uint32_t remote;              /* the first socket with the same other end, or itself */
	uint32_t next, next_remote;   /* other sockets of the same list */
	KP_VEC(struct kp_send) sends; /* in the order of exit */
	kp_msg_list msgs;
};

/* Both ends of a connection as one side has them. */
struct kp_ends {
	kp_addr laddr, raddr;
	uint16_t lport, rport;
};

/* What the sides of a connection have whose addresses are rewritten on the way. */
struct kp_translated {
	uint64_t t_ns; /* when it was told, KP_TRANSLATED_LATE_NS after its begin at the most */
	struct kp_ends side[2];
	uint32_t next[2]; /* by side, what was told before of ends with the same hash */
	uint8_t obj;      /* KP_OBJ_tcp or KP_OBJ_udp */
};
#define KP_TRANSLATED_LATE_NS 1000000000ull

/* An address of this host. */
struct kp_local {
	kp_addr addr;
	uint32_t next; /* another with the same hash */
};

struct kp_request {
	uint64_t id;
	uint64_t insert_ns;   /* 0: not queued, or not seen */
	uint64_t issue_ns;    /* 0: not seen */
	uint64_t complete_ns; /* 0: not seen */
	uint64_t sector;
	uint32_t dev, len, op;
	uint32_t task;                                /* that submitted it */
	uint32_t older;                               /* request with the same identity before */
	uint16_t insert_cpu, issue_cpu, complete_cpu; /* of these events */
};

struct kp_completion {
	uint64_t t_ns;
	uint32_t request;
};

struct kp_signal {
	uint64_t t_ns;
	uint32_t sender;
	uint32_t target_pid, target_tid;
	int32_t sig;
	uint32_t ctx;
	uint32_t result;
	uint32_t older; /* stop signal to the same process before, if this is one */
	uint16_t cpu;   /* of the event */
};

/* A control group of version 2 is to stop, or may go on. */
struct kp_freeze {
	uint64_t t_ns;
	uint64_t cgroup;
	uint32_t task; /* that wants it so */
	bool ends;
};

/* A timerfd_settime. */
struct kp_arming {
	uint64_t entry_ns;
	uint64_t exit_ns;
	uint64_t fd;
	uint32_t task;
};

struct kp_retransmit {
	uint64_t t_ns;
	uint32_t sock;
	uint32_t tcp_seq;
	uint8_t why; /* KP_RETRANSMIT_ */
};

/* From t_ns on this is recorded: enum kp_tier, but for classes of events that were left out, as
 * bits 1 << KP_GROUP_. The first one's time is 0. */
struct kp_tier_change {
	uint64_t t_ns;
	uint32_t tier;
	uint32_t absent;
};

/* A time for which events are missing. */
struct kp_loss {
	uint64_t from_ns;
	uint64_t to_ns;
	uint64_t cnt;   /* 0: unknown */
	uint32_t group; /* KP_GROUP_, or KP_NONE: all (damage of the log) */
	uint32_t cpu;   /* or KP_NONE: all */
};

struct kp_model {
	uint64_t first_ns; /* time that the log covers */
	uint64_t last_ns;
	uint64_t keep_from_ns; /* of what is before it only the last states are kept */
	uint64_t heap_max;     /* what may be taken from malloc; 0: no limit */
	uint64_t event_cnt;
	uint64_t last_switch_ns;      /* of any CPU */
	bool run_ended;               /* the recorder's final accounts came since */
	struct kp_map tids;           /* tid → newest life */
	struct kp_map sock_map;       /* number → newest socket that has it */
	struct kp_map ends_map;       /* hash of both ends → list of sockets */
	struct kp_map remote_map;     /* hash of the other end → list of sockets */
	struct kp_map translated_map; /* hash of a side's ends → list of translated * 2 + side */
	struct kp_map unix_map;       /* inode → newest unix socket that has it */
	struct kp_map local_map;      /* hash of an address → list of locals */
	struct kp_map rq_map;         /* identity → newest request */
	struct kp_map sig_map;        /* pid → newest stop signal to it */
	struct kp_origins *origins;   /* where processes come from */
	KP_VEC(struct kp_task) tasks;
	KP_VEC(struct kp_name) names;
	KP_VEC(struct kp_wake) wakes;
	KP_VEC(struct kp_cpu) cpus;
	KP_VEC(struct kp_sock) socks;
	KP_VEC(struct kp_msg) msgs; /* by their ends */
	KP_VEC(struct kp_local) locals;
	KP_VEC(struct kp_translated) translated;
	KP_VEC(struct kp_request) requests;
	KP_VEC(struct kp_completion) completions;
	KP_VEC(struct kp_signal) signals;
	KP_VEC(struct kp_freeze) freezes;
	KP_VEC(struct kp_send) connects;
	KP_VEC(struct kp_arming) armings; /* by their ends */
	KP_VEC(struct kp_retransmit) retransmits;
	KP_VEC(struct kp_tier_change) tiers;
	KP_VEC(struct kp_loss) losses; /* as they were recorded */
	KP_VEC(struct kp_loss) gaps;   /* where a CPU's switches do not chain */
	kp_holes holes;                /* of any CPU */
};

int kp_model_init(struct kp_model *model);
void kp_model_done(struct kp_model *model);

/* Takes one valid event; 0, -ENOMEM, or -E2BIG: beyond heap_max. Kinds that do not matter here are
 * ignored. */
int kp_model_add(struct kp_model *model, const struct kp_hdr *event);

/* Whether with so many bytes more there is more memory in use than may be. */
bool kp_model_is_full(const struct kp_model *model, uint64_t more);

/* Damage of the log: a time for which events of all kinds may be missing. */
int kp_model_add_gap(struct kp_model *model, uint64_t from_ns, uint64_t to_ns);

/* To be called once after the last event and before any question. 0, -ENOMEM or
 * -E2BIG. */
int kp_model_finish(struct kp_model *model);

/* --- questions; indexes instead of pointers so that they can be stored --- */

/* The life of tid at t_ns (the newest that began before), or KP_NONE. */
uint32_t kp_model_task(const struct kp_model *model, uint32_t tid, uint64_t t_ns);

/* The task's name at t_ns, or NULL. */
const char *kp_model_comm(const struct kp_model *model, uint32_t task, uint64_t t_ns);

/* Whether the task is a kernel thread; one of a pool that does whatever is queued. */
bool kp_model_is_kthread(const struct kp_model *model, uint32_t task, uint64_t t_ns);
bool kp_model_is_worker(const struct kp_model *model, uint32_t task, uint64_t t_ns);

/* Whether a kernel thread waits here for something to do. */
bool kp_rec_idles(const struct kp_rec *rec);

/* How many of the model's armings had ended at t_ns. */
uint32_t kp_model_armings_until(const struct kp_model *model, uint64_t t_ns);

/* Index of the last record at or before t_ns, or KP_NONE. */
uint32_t kp_task_rec(const struct kp_task *task, uint64_t t_ns);

/* The system call in which the task was at t_ns, or NULL. */
const struct kp_call *kp_task_call(const struct kp_task *task, uint64_t t_ns);

/* Index of the last occupant that began at or before t_ns, or KP_NONE. */
uint32_t kp_cpu_occupant(const struct kp_cpu *cpu, uint64_t t_ns);

/* Index of the first interval that ends after t_ns; list disjoint and in order. */
uint32_t kp_interval_find(const struct kp_interval *list, uint32_t cnt, uint64_t t_ns);

/* Whether scheduling events were lost on any CPU in [from, to). */
bool kp_model_hole(const struct kp_model *model, uint64_t from_ns, uint64_t to_ns);

/* How many of a list's messages had ended at t_ns. */
uint32_t kp_model_msgs_until(const struct kp_model *model, const kp_msg_list *list, uint64_t t_ns);

/* The message by which a socket's other end sent what was received; NULL: it is not in the log, or
 * from another host. */
const struct kp_msg *kp_model_origin(const struct kp_model *model, const struct kp_msg *received);

/* What the task, which woke somebody at t_ns for this socket, was then giving to its other end or
 * taking from it; NULL: nothing that the log has. */
const struct kp_msg *kp_model_peer_msg(const struct kp_model *model, uint32_t sock, uint32_t task,
				       uint64_t t_ns);

/* The other end of the unix socket with this inode; KP_NONE: the log does not tell it. */
uint32_t kp_model_unix_peer(const struct kp_model *model, uint64_t ino);

/* How many of the model's wakes there were until t_ns. */
uint32_t kp_model_wakes_until(const struct kp_model *model, uint64_t t_ns);

/* The send on the other end of sock that is under way at t_ns, else the last one before; NULL. */
const struct kp_send *kp_model_peer_send(const struct kp_model *model, uint32_t sock,
					 uint64_t t_ns);

/* The same, where only one end is alike on both sides: the address of the other was translated on
 * the way. For a socket without an other end on this host; else NULL. */
const struct kp_send *kp_model_translated_send(const struct kp_model *model, uint32_t sock,
					       uint64_t t_ns);

/* Whether the other end's address is one of this host. */
bool kp_model_is_here(const struct kp_model *model, uint32_t sock);

bool kp_model_has_local(const struct kp_model *model, const kp_addr addr);

/* Keys of the model's maps of ends: of an end, and of both by their keys. */
uint64_t kp_sock_end_hash(const kp_addr addr, uint16_t port);
uint64_t kp_ends_hash(const struct kp_ends *ends);

/* The ends that the socket on the other side had at t_ns. Where it cannot be told which of two
 * translations held then, none is taken. */
struct kp_ends kp_model_other_ends(const struct kp_model *model, const struct kp_sock *sock,
				   uint64_t t_ns);

/* Index of the last retransmission on sock or its other end in [from, to), or KP_NONE. */
uint32_t kp_model_retransmit(const struct kp_model *model, uint32_t sock, uint64_t from_ns,
			     uint64_t to_ns);

/* The request with this identity that was alive at t_ns or the last before, or KP_NONE. */
uint32_t kp_model_request(const struct kp_model *model, uint64_t id, uint64_t t_ns);

/* The stop signal that stopped process pid at t_ns, or NULL. */
const struct kp_signal *kp_model_stop_signal(const struct kp_model *model, uint32_t pid,
					     uint64_t t_ns);

/* Who had control groups of version 2 frozen at t_ns; KP_NONE: nobody, several, or it is not in the
 * log. */
uint32_t kp_model_freezer(const struct kp_model *model, uint64_t t_ns);

/* The first signal that `sender` sent to process pid from t_ns on, within slack of it, or NULL. */
const struct kp_signal *kp_model_signal(const struct kp_model *model, uint32_t pid, uint32_t sender,
					uint64_t t_ns, uint64_t slack_ns);

/* Whether the call makes the other end of a TCP connection readable. */
bool kp_call_sends(const struct kp_call *call);

/* Whether the call takes from a connection. */
bool kp_call_receives(const struct kp_call *call);

/* Whether the call's descriptor is a socket. */
bool kp_call_on_socket(const struct kp_call *call);

/* When its own timeout ends it, as far as that is known; 0: it has none. */
uint64_t kp_call_due(const struct kp_call *call);

/* It waits for any of many descriptors, and so names no socket. */
bool kp_call_waits_for_many(const struct kp_call *call);

/* Index in tiers of what was recorded at a time; KP_NONE: the log does not say. */
uint32_t kp_model_tier(const struct kp_model *model, uint64_t t_ns);

/* Whether the call of a wait from begin_ns to end_ns would be in the log, if there was one, and
 * what went through sockets at its end. */
bool kp_model_tells_calls(const struct kp_model *model, uint64_t begin_ns, uint64_t end_ns);

#endif
