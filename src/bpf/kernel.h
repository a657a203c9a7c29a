/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * The kernel's structs, only the members that the programs read. Offsets come from the running
 * kernel's BTF (CO-RE), so order and size here mean nothing.
 */
#ifndef KP_BPF_KERNEL_H
#define KP_BPF_KERNEL_H

#include <linux/types.h>
#include <stdbool.h>

#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

struct list_head {
	struct list_head *next;
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	__s64 i_size;
};

struct file {
	struct inode *f_inode;
	unsigned int f_flags;
	__s64 f_pos;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	short oom_score_adj;
};

struct thread_info {
	unsigned long flags;
	__u32 status;
	__u32 cpu;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct cgrp_cset_link {
	struct cgroup *cgrp;
	struct list_head cgrp_link;
};

struct css_set {
	struct list_head cgrp_links;
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

struct cfs_bandwidth {
	__u64 quota;
};

struct task_group {
	struct cgroup_subsys_state css;
	struct task_group *parent;
	struct cfs_bandwidth cfs_bandwidth;
};

struct cfs_rq {
	struct task_group *tg;
	bool throttled;
	int throttle_count;
	__u64 throttled_clock_pelt_time;
};

struct sched_entity {
	struct sched_entity *parent;
	struct cfs_rq *cfs_rq;
};

struct task_struct {
	struct sched_entity se;
	struct css_set *cgroups;
	struct pid *thread_pid;
	struct mm_struct *mm;
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int flags;
	int prio;
	int exit_code;
	int pid;
	int tgid;
	unsigned int in_iowait : 1;
	unsigned int frozen : 1;
	unsigned long maj_flt;
	char comm[16];
	struct files_struct *files;
	struct signal_struct *signal;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
};

struct kernel_siginfo {
	int si_signo;
	int si_errno;
	int si_code;
};

struct sigaction___kernel {
	void *sa_handler;
	unsigned long sa_flags;
};

struct k_sigaction {
	struct sigaction___kernel sa;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	__u64 skc_addrpair; /* both addresses … */
	__u32 skc_portpair; /* … and both ports at once */
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
	struct socket *sk_socket;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
};

/* A connection that begins, of which the listening socket knows. */
struct request_sock {
	struct sock_common __req_common;
	__u8 num_retrans;
};

struct tcp_request_sock {
	__u32 snt_isn;
};

struct tcp_options_received {
	__u16 snd_wscale : 4;
};

struct tcp_sock {
	__u32 copied_seq;
	__u32 rcv_nxt;
	__u32 rcv_wnd; /* as the other end was last told */
	__u32 write_seq;
	__u32 snd_una;
	__u32 snd_wnd;
	__u32 snd_cwnd;
	__u32 srtt_us; /* eight times that */
	__u32 rttvar_us;
	__u32 snd_wl1; /* sequence number of the segment that brought the window */
	struct tcp_options_received rx_opt;
};

struct inet_sock {
	__be16 inet_sport;
};

struct unix_sock {
	struct sock *peer;
};

struct inet_connection_sock {
	__u8 icsk_ca_state : 5;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
};

struct socket {
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct tcphdr {
	__be32 seq;
	__be32 ack_seq;
	__be16 window;
};

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

struct sk_buff {
	struct net_device *dev;
	char cb[48];
	unsigned int len;
	unsigned int data_len;
	int skb_iif; /* device by which it came; 0: it was made here */
	__be16 protocol;
	__u16 network_header;
	unsigned char *head;
	unsigned char *data;
	__u16 transport_header;
	struct sock *sk;
};

struct tcp_skb_cb {
	__u32 seq;
	__u32 end_seq;
};

struct timerqueue_node {
	__s64 expires;
};

struct hrtimer_clock_base {
	unsigned int index;
	__s64 offset;
};

struct hrtimer {
	struct timerqueue_node node;
	__s64 _softexpires;
	struct hrtimer_clock_base *base;
};

struct gendisk {
	int major;
	int first_minor;
};

struct request_queue {
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
	__u64 __sector;
};

struct block_device {
	__u32 bd_dev;
};

struct device {
	__u32 devt;
};

struct backing_dev_info {
	struct device *owner; /* the disk */
};

struct bdi_writeback {
	struct backing_dev_info *bdi;
};

struct transaction_s {
	__u32 t_tid;
};

struct journal_s {
	struct block_device *j_fs_dev;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct compact_control {
	int order;
	bool direct_compaction;
};

struct io_cqe {
	__u64 user_data;
};

struct io_ring_ctx;

struct io_kiocb {
	__u8 opcode;
	struct io_cqe cqe;
	struct io_ring_ctx *ctx;
};

struct io_uring_cqe {
	__u64 user_data;
	__s32 res;
	__u32 flags;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
