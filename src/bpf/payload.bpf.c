// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The bytes that a system call of a selected task read or wrote, found by walking the call's row
 * of syscalls.def. The functions are global on purpose: the verifier checks each once, whatever the
 * number of callers, and they find what they need in this CPU's memory. It allows 8 of them deep.
 */
#include "bpf/payload.h"
#include "bpf/emit.h"
#include "kprobe/command.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set to the number of CPUs */
	__type(key, __u32);
	__type(value, struct kp_scratch);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KP_SYSCALL_MAX);
	__type(key, __u32);
	__type(value, struct kp_rule_row);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KP_COMMAND_MAX);
	__type(key, __u64);
	__type(value, struct kp_command_rule);
} commands SEC(".maps");

const volatile __u32 payload_ring_len = 4096;

#define KP_STR_MAX 4096u
#define KP_WAKE_PART 16

/* What leads to a buffer, in one word: argument, direction, index within a vector. */
#define TAG(arg, dir) ((__u32)(arg) | (__u32)(dir) << 3)
#define TAG_ARG(tag) ((tag)&7)
#define TAG_DIR(tag) ((tag) >> 3 & 1)
#define TAG_IDX(idx) ((__u32)(idx) << 4)

/* The kernel's struct iovec and msghdr as a 64-bit process has them. */
struct user_iovec {
	__u64 base;
	__u64 len;
};
struct user_msghdr {
	__u64 name;
	__u32 namelen;
	__u32 pad0;
	__u64 iov;
	__u64 iovlen;
	__u64 control;
	__u64 controllen;
	__u32 flags;
	__u32 pad1;
};
#define USER_MMSGHDR_LEN 64

/* The kernel's struct clone_args, its first members. */
struct user_clone_args {
	__u64 flags;
	__u64 pidfd;
	__u64 child_tid;
	__u64 parent_tid;
};
#define EAGAIN 11
#define ENOTTY 25
#define CLONE_PIDFD 0x1000
#define CLONE_PARENT_SETTID 0x100000

/*
 * Sends what scratch holds: an event with n bytes of data, zero padded, of want. Wakes the reader
 * once a sixteenth of the ring is full, since payloads can fill it between two drains.
 */
static __always_inline void send(struct kp_cpu *c, struct kp_scratch *s, void *ring, __u32 cpu,
				 __u64 addr, __u32 offset, __u32 want, __u32 n, __u32 tag)
{
	struct kp_counts *counters = kp_this_counts(cpu, c->bulk ? KP_RING_BULK : KP_RING_PAYLOAD);
	__u64 who = bpf_get_current_pid_tgid();
	__u32 size;

	n &= 0xffff;
	if (n & 7)
		*(__u64 *)(s->data + (n & ~7u)) &= (1ULL << (n & 7) * 8) - 1;
	size = (sizeof(s->ev) + n + 7) & ~7u;
	s->ev.hdr.time_ns = c->cap_ns;
	s->ev.hdr.size = size;
	s->ev.hdr.kind = KP_EV_payload;
	s->ev.hdr.cpu = cpu;
	s->ev.hdr.pid = who >> 32;
	s->ev.hdr.tid = who;
	s->ev.addr = addr;
	s->ev.seq = c->cap_seq;
	s->ev.offset = offset;
	s->ev.want_len = want;
	s->ev.nr = c->cap_nr;
	s->ev.idx = tag >> 4;
	s->ev.arg = TAG_ARG(tag);
	s->ev.dir = TAG_DIR(tag);
	s->ev.arg0 = c->args[0];
	s->ev.data_len = n;
	if (n < want)
		c->incomplete = 1;
	kp_count(&counters->produced[KP_GROUP_payload], KP_GROUP_payload);
	if (bpf_ringbuf_output(ring, s, size,
			       bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >
					       payload_ring_len / KP_WAKE_PART
				       ? KP_FLAG_RB_WAKE
				       : KP_FLAG_RB_QUIET)) {
		kp_lose(counters, KP_GROUP_payload, bpf_ktime_get_ns());
		c->incomplete = 1;
	}
}

static __always_inline void *this_ring(const struct kp_cpu *c, __u32 cpu)
{
	return c->bulk ? bpf_map_lookup_elem(&bulk_rings, &cpu)
		       : bpf_map_lookup_elem(&payload_rings, &cpu);
}

/*
 * Captures chunk number i of the want bytes at addr; nonzero: there is no more. A loop's state is
 * its counter alone, the rest is in memory: a verifier (6.1) follows every branch of every round of
 * a loop whose registers differ.
 */
__noinline int kp_capture_chunk(__u64 addr, __u64 want, __u32 tag, __u32 i)
{
	__u32 cpu = bpf_get_smp_processor_id(), got;
	struct kp_cpu *c = kp_this_cpu();
	struct kp_scratch *s = bpf_map_lookup_elem(&scratch, &cpu);
	void *ring = this_ring(c, cpu);
	__u64 offset = (__u64)i * KP_CHUNK_MAX, n;

	if (!s || !ring || offset >= want)
		return 1;
	n = want - offset;
	if (n > KP_CHUNK_MAX)
		n = KP_CHUNK_MAX;
	c->budget -= n;
	got = n & 0xffff;
	if (bpf_probe_read_user(s->data, got, (void *)(addr + offset)))
		got = 0;
	send(c, s, ring, cpu, addr + offset, offset, n, got, tag);
	return 0;
}

/* Captures want bytes at addr of the current task, in chunks. */
__noinline int kp_capture(__u64 addr, __u64 want, __u32 tag)
{
	if (!addr)
		return 0;
	if (want > kp_this_cpu()->budget) {
		kp_this_cpu()->incomplete = 1;
		return 0;
	}
	for (__u32 i = 0; i <= KP_CAPTURE_MAX / KP_CHUNK_MAX; i++)
		if (kp_capture_chunk(addr, want, tag, i))
			break;
	return 0;
}

/* Captures a string with its NUL; one of KP_STR_MAX or more bytes is cut. */
__noinline int kp_capture_str(__u64 addr, __u32 tag)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct kp_cpu *c = kp_this_cpu();
	struct kp_scratch *s = bpf_map_lookup_elem(&scratch, &cpu);
	void *ring = this_ring(c, cpu);
	long n;

	if (!s || !ring || !addr)
		return 0;
	n = bpf_probe_read_user_str(s->data, KP_STR_MAX, (void *)addr);
	if (n <= 0)
		send(c, s, ring, cpu, addr, 0, 1, 0, tag);
	else
		send(c, s, ring, cpu, addr, 0, n, n, tag);
	return 0;
}

/* Captures what vector i at iov has of the bytes left; nonzero: it could not be read. */
static __always_inline int capture_vec(__u64 iov, __u32 i, __u32 tag)
{
	struct kp_cpu *c = kp_this_cpu();
	struct user_iovec v = {};
	__u64 n;

	if (bpf_probe_read_user(&v, sizeof(v), (void *)(iov + i * sizeof(v)))) {
		c->incomplete = 1;
		return 1;
	}
	n = v.len < c->left ? v.len : c->left;
	c->left -= n;
	if (n)
		kp_capture(v.base, n, tag + TAG_IDX(i));
	return 0;
}

/*
 * Captures total bytes spread over cnt iovecs; tag has the index of the first. They may have room
 * for less: a datagram is longer than what MSG_TRUNC had it cut to.
 */
__noinline int kp_capture_iov(__u64 iov, __u64 cnt, __u64 total, __u32 tag)
{
	struct kp_cpu *c = kp_this_cpu();

	c->left = total;
	for (__u32 i = 0; i < KP_IOV_MAX; i++)
		if (i >= cnt || !c->left || capture_vec(iov, i, tag))
			break;
	return 0;
}

/* Captures a msghdr (or mmsghdr, by hdr_len), its name, its vectors and its control data. */
__noinline int kp_capture_msg(__u64 addr, __u64 total, __u32 hdr_len, __u32 tag)
{
	struct user_msghdr m = {};

	if (bpf_probe_read_user(&m, sizeof(m), (void *)addr)) {
		kp_this_cpu()->incomplete = 1;
		return 0;
	}
	kp_capture(addr, hdr_len, tag);
	if (m.name && m.namelen)
		kp_capture(m.name, m.namelen, tag);
	if (m.control && m.controllen)
		kp_capture(m.control, m.controllen, tag);
	kp_capture_iov(m.iov, m.iovlen, total, tag);
	return 0;
}

/* Message i of a vector of mmsghdr; nonzero: it could not be read. */
static __always_inline int capture_one_of_mmsg(__u64 addr, __u32 i, __u32 tag)
{
	__u64 at = addr + i * USER_MMSGHDR_LEN;
	__u32 len = 0;

	if (bpf_probe_read_user(&len, sizeof(len), (void *)(at + sizeof(struct user_msghdr)))) {
		kp_this_cpu()->incomplete = 1;
		return 1;
	}
	return kp_capture_msg(at, len, USER_MMSGHDR_LEN, tag + TAG_IDX(i * KP_IDX_VECTOR));
}

__noinline int kp_capture_mmsg(__u64 addr, __u64 cnt, __u32 tag)
{
	if (cnt > KP_IOV_MAX)
		kp_this_cpu()->incomplete = 1;
	for (__u32 i = 0; i < KP_IOV_MAX; i++)
		if (i >= cnt || capture_one_of_mmsg(addr, i, tag))
			break;
	return 0;
}

/* The number of bytes behind argument i by its rule, for rules that a number answers. */
static __always_inline __u64 buffer_len(struct kp_cpu *c, const struct kp_arg *arg)
{
	__u64 other = c->args[arg->len_arg & 7], n;
	__u32 word = 0;

	switch (arg->rule) {
	case KP_LEN_FIXED:
	case KP_LEN_ALWAYS:
		return arg->unit;
	case KP_LEN_RET:
		n = (__u64)c->ret * arg->unit;
		return arg->len_arg && other * arg->unit < n ? other * arg->unit : n;
	case KP_LEN_ARG:
		return other * arg->unit;
	case KP_LEN_IF:
		return other & arg->unit ? 4 : 0;
	case KP_LEN_BITS:
		return (other + 63) / 64 * 8;
	case KP_LEN_PAGES:
		return (other + 4095) / 4096;
	case KP_LEN_MSGBUF:
		return 8 + (arg->dir & 1 << KP_DIR_OUT ? (__u64)c->ret : other);
	case KP_LEN_U32AT:
		if (bpf_probe_read_user(&word, sizeof(word), (void *)other))
			return 0;
		return word;
	}
	return 0;
}

/* The number of width bytes at addr. */
static __always_inline __u64 read_number(__u64 addr, __u32 width)
{
	__u64 words[2] = {};

	if (bpf_probe_read_user(words, width & 15, (void *)addr))
		kp_this_cpu()->incomplete = 1;
	return words[0];
}

/* More bytes that the struct at base leads to. */
static __always_inline void capture_part(struct kp_cpu *c, __u64 base,
					 const struct kp_command_part *part, __u32 tag)
{
	__u64 addr = base + part->at, cnt = c->ret, most;

	if (part->kind == KP_PART_NONE)
		return;
	if (part->kind == KP_PART_BEHIND)
		addr = read_number(addr, sizeof(addr));
	if (part->width)
		cnt = read_number(base + part->count, part->width);
	if (part->most != KP_PART_ALL) {
		most = read_number(base + part->most, part->width);
		cnt = cnt < most ? cnt : most;
	}
	kp_capture(addr, cnt * part->unit, tag);
}

/* Captures what argument i points to, by the command that its call was given. */
__noinline int kp_capture_command(__u32 i, __u32 command)
{
	struct kp_cpu *c = kp_this_cpu();
	__u64 key = KP_COMMAND_KEY(c->cap_nr, command), addr = c->args[i & 7];
	struct kp_command_rule *row = bpf_map_lookup_elem(&commands, &key), rule = {};
	__u64 len;

	if (row)
		rule = *row;
	else if (c->cap_nr == KP_NR_ioctl)
		rule = kp_command_encoded(command, addr);
	if (!rule.dir || (kp_failed(c->ret) && !(rule.dir & 1 << KP_DIR_OUT)))
		return 0;
	len = rule.cap ? c->args[rule.cap & 7] : rule.len;
	if (rule.cap && (__u64)c->ret < len)
		len = c->ret;
	kp_capture(addr, len, TAG(i, rule.dir & 1 << KP_DIR_OUT ? KP_DIR_OUT : KP_DIR_IN));
	capture_part(c, addr, &rule.parts[0], TAG(i, KP_DIR_OUT) | TAG_IDX(1));
	capture_part(c, addr, &rule.parts[1], TAG(i, KP_DIR_OUT) | TAG_IDX(2));
	return 0;
}

/* Captures struct clone_args and the numbers that the kernel put where it says. */
__noinline int kp_capture_clone(__u32 i, __u64 len)
{
	struct kp_cpu *c = kp_this_cpu();
	__u64 addr = c->args[i & 7];
	struct user_clone_args a = {};

	if (!kp_failed(c->ret))
		kp_capture(addr, len, TAG(i, KP_DIR_IN));
	if (bpf_probe_read_user(&a, sizeof(a), (void *)addr))
		return 0;
	if (a.flags & CLONE_PIDFD)
		kp_capture(a.pidfd, 4, TAG(i, KP_DIR_OUT) | TAG_IDX(1));
	if (a.flags & CLONE_PARENT_SETTID)
		kp_capture(a.parent_tid, 4, TAG(i, KP_DIR_OUT) | TAG_IDX(2));
	return 0;
}

/* Errors by which a call says that there was nothing to do: it has written nothing, and they come
 * by the thousands. */
static __always_inline bool did_nothing(const struct kp_cpu *c, const struct kp_arg *arg)
{
	return (arg->rule == KP_LEN_RET && c->ret == -EAGAIN) ||
	       (arg->rule == KP_LEN_COMMAND && c->ret == -ENOTTY);
}

__noinline int kp_capture_arg(__u32 i)
{
	struct kp_cpu *c = kp_this_cpu();
	__u32 nr = c->cap_nr, tag;
	struct kp_rule_row *row = bpf_map_lookup_elem(&rules, &nr);
	bool failed = kp_failed(c->ret), got;
	struct kp_arg *arg;
	__u64 addr;

	if (!row)
		return 0;
	i &= 7;
	arg = &row->args[i];
	addr = c->args[i];
	if (arg->type != KP_ARG_BUF)
		return 0;
	/* The length is told without a buffer too, and by some options when it was too short. */
	if (arg->rule == KP_LEN_U32AT)
		kp_capture(c->args[arg->len_arg & 7], 4, TAG(arg->len_arg, KP_DIR_OUT));
	if (!addr)
		return 0;
	/* What both sides use is seen as the kernel left it. */
	got = arg->dir & 1 << KP_DIR_OUT || (failed && arg->dir & KP_ARG_FAILS);
	tag = TAG(i, got ? KP_DIR_OUT : KP_DIR_IN);
	if (arg->rule == KP_LEN_STR)
		return kp_capture_str(addr, tag);
	if (failed && arg->rule != KP_LEN_ALWAYS &&
	    (!(arg->dir & KP_ARG_FAILS) || did_nothing(c, arg)))
		return 0;
	switch (arg->rule) {
	case KP_LEN_IOV:
		return kp_capture_iov(addr, c->args[arg->len_arg & 7], c->ret, tag);
	case KP_LEN_MSG:
		return kp_capture_msg(addr, c->ret, sizeof(struct user_msghdr), tag);
	case KP_LEN_MMSG:
		return kp_capture_mmsg(addr, c->ret, tag);
	case KP_LEN_COMMAND:
		return kp_capture_command(i, c->args[arg->len_arg & 7] & ~arg->unit);
	case KP_LEN_CLONE:
		return kp_capture_clone(i, c->args[arg->len_arg & 7]);
	}
	return kp_capture(addr, buffer_len(c, arg), tag);
}
