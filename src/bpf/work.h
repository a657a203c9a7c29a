/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * The kernel's own work: how long it must take to be told, and the tables in which it stands
 * meanwhile. They have no locks. An item may stand in one of a few places; where all are taken, it
 * takes that of another, which is lost then. So those go whose end was not seen, too.
 */
#ifndef KP_BPF_WORK_H
#define KP_BPF_WORK_H

#include "bpf/socket.h"

/* Defined in base.bpf.c. */
extern const volatile __u64 work_threshold_ns;

#define KP_WAY_CNT 4 /* a power of two */

#define KP_TABLE_CNT(table) (sizeof(table) / sizeof((table)[0])) /* a power of two */

/* One of the places that an item with that hash may have in the table. */
#define KP_PLACE(table, hash, way)                                                  \
	(&(table)[(((hash) >> (64 - __builtin_ctz(KP_TABLE_CNT(table)))) + (way)) & \
		  (KP_TABLE_CNT(table) - 1)])

/* The first of them, as `at`, of which the condition holds; NULL: of none, which
 * is to be seen by the pointer itself: verifiers do not follow what clang knows otherwise. */
#define KP_FIND(table, hash, at, condition)                            \
	({                                                             \
		typeof(&(table)[0]) found_ = NULL;                     \
		for (__u32 i_ = 0; i_ < KP_WAY_CNT && !found_; i_++) { \
			at = KP_PLACE(table, hash, i_);                \
			if (condition)                                 \
				found_ = at;                           \
		}                                                      \
		__asm__ volatile("" : "+r"(found_));                   \
		found_;                                                \
	})

/* One of them for a new item of the group kernel; it is taken by `word`, a member that others may
 * want to set as well and that has the value then. */
#define KP_TAKE(table, hash, at, word, value)                                                    \
	({                                                                                       \
		typeof(&(table)[0]) room_ =                                                      \
			KP_FIND(table, hash, at, !at->word && !kp_cmpxchg(&at->word, 0, value)); \
		if (!room_) {                                                                    \
			kp_count_lost(KP_RING_EVENTS, KP_GROUP_kernel);                          \
			room_ = KP_PLACE(table, hash, bpf_get_prandom_u32() & (KP_WAY_CNT - 1)); \
			room_->word = value;                                                     \
		}                                                                                \
		room_;                                                                           \
	})

#define KP_IDLE_TID 0x80000000u /* with the CPU: idle tasks have no number of their own */

/* The current task. */
static __always_inline __u32 kp_runner(void)
{
	__u32 tid = bpf_get_current_pid_tgid();

	return tid ? tid : KP_IDLE_TID | bpf_get_smp_processor_id();
}

#endif
