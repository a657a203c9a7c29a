/* SPDX-License-Identifier: MIT
 * Names of tasks over time, and the texts to which a call's arguments point.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "event/names.h"

static struct kp_names names;

static void done(void)
{
	kp_names_done(&names);
}

TestSuite(names, .fini = done);

static const char *name_of(uint32_t tid)
{
	static char text[KP_COMM_LEN + 1];
	const char *comm = kp_names_get(&names, tid);

	if (!comm)
		return "";
	memcpy(text, comm, KP_COMM_LEN);
	return text;
}

#define ADD(kind, id, ...)                                                                 \
	do {                                                                               \
		struct kp_ev_##kind ev = {.hdr = {1, sizeof(ev), KP_EV_##kind, 0, id, id}, \
					  __VA_ARGS__};                                    \
		cr_assert_eq(kp_names_add(&names, &ev.hdr), 0);                            \
	} while (0)

Test(names, follow_fork_rename_and_exec)
{
	struct kp_ev_task late = {.hdr = {1, sizeof(late), KP_EV_task, 0, 5, 5}, .comm = "later"};

	cr_expect_null(kp_names_get(&names, 5));
	ADD(task, 5, .comm = "sh");
	cr_expect_str_eq(name_of(5), "sh");
	ADD(task_fork, 5, .child_pid = 6, .child_tid = 6, .comm = "sh");
	ADD(task_exec, 6, .comm = "a name of 16 b..");
	cr_expect_str_eq(name_of(6), "a name of 16 b..");
	cr_expect_str_eq(name_of(5), "sh");
	ADD(task_rename, 6, .target_tid = 5, .comm = "worker");
	cr_expect_str_eq(name_of(5), "worker");
	cr_assert_eq(kp_names_seed(&names, &late.hdr), 0);
	cr_expect_str_eq(name_of(5), "worker");
	late.hdr.tid = 7;
	cr_assert_eq(kp_names_seed(&names, &late.hdr), 0);
	cr_expect_str_eq(name_of(7), "later");
}

Test(names, sockets_by_their_numbers)
{
	struct kp_ev_socket early = {.hdr = {.kind = KP_EV_socket}, .sock = 4, .lport = 1};
	struct kp_ev_sock_send sent = {.hdr = {.kind = KP_EV_sock_send}, .sock = 4};
	struct kp_ev_task_exit other = {.hdr = {.kind = KP_EV_task_exit}};

	cr_expect_null(kp_names_sock(&names, &sent.hdr));
	ADD(socket, 5, .sock = 4, .lport = 80);
	cr_assert_not_null(kp_names_sock(&names, &sent.hdr));
	cr_expect_eq(kp_names_sock(&names, &sent.hdr)->lport, 80);
	cr_assert_eq(kp_names_seed(&names, &early.hdr), 0);
	cr_expect_eq(kp_names_sock(&names, &sent.hdr)->lport, 80);
	ADD(socket, 5, .sock = 4, .lport = 80, .rport = 5);
	cr_expect_eq(kp_names_sock(&names, &sent.hdr)->rport, 5);
	cr_expect_null(kp_names_sock(&names, &other.hdr));
	sent.sock = 0;
	cr_expect_null(kp_names_sock(&names, &sent.hdr));
}

static void add_reasons(unsigned what, const char *text, size_t len,
			int (*add)(struct kp_names *names, const struct kp_hdr *event))
{
	union {
		struct kp_ev_reason_names ev;
		char bytes[sizeof(struct kp_ev_reason_names) + 32];
	} u = {.ev = {.hdr = {.kind = KP_EV_reason_names}, .what = what}};

	u.ev.data_len = (uint32_t)len;
	memcpy(u.bytes + sizeof(u.ev), text, len);
	cr_assert_eq(add(&names, &u.ev.hdr), 0);
}

Test(names, reasons_as_the_recording_kernel_calls_them)
{
	struct kp_ev_packet_drop drop = {.hdr = {.kind = KP_EV_packet_drop}, .reason = 2};
	struct kp_ev_tcp_reset reset = {.hdr = {.kind = KP_EV_tcp_reset}, .reason = 2};

	cr_expect_null(kp_names_reason(&names, &drop.hdr));
	add_reasons(KP_REASON_DROP, "NONE\0\0FULL", 10, kp_names_add); /* a torn end */
	add_reasons(KP_REASON_DROP, "A\0B\0C", 6, kp_names_seed);
	add_reasons(KP_REASON_CNT, "A\0B\0C", 6, kp_names_add);
	cr_expect_str_eq(kp_names_reason(&names, &drop.hdr), "FULL");
	cr_expect_null(kp_names_reason(&names, &reset.hdr));
	drop.reason = 1;
	cr_expect_null(kp_names_reason(&names, &drop.hdr));
	drop.reason = 3;
	cr_expect_null(kp_names_reason(&names, &drop.hdr));
	drop.reason = KP_REASON_UNTOLD;
	cr_expect_null(kp_names_reason(&names, &drop.hdr));
	add_reasons(KP_REASON_RESET, "A\0B\0C", 6, kp_names_add);
	cr_expect_str_eq(kp_names_reason(&names, &reset.hdr), "C");
}

Test(names, tids_that_no_kernel_gives_are_not_kept)
{
	ADD(task, 0, .comm = "idle");
	ADD(task, 0xffffffff, .comm = "forged");
	cr_expect_null(kp_names_get(&names, 0));
	cr_expect_null(kp_names_get(&names, 0xffffffff));
	cr_expect_eq(names.comms.cnt, 0);
}

/* A payload of the call's argument, with a text that ends within it or not. */
static void add_payload(uint32_t tid, uint32_t seq, uint16_t nr, uint8_t arg, const char *text,
			uint32_t len, uint32_t offset)
{
	struct kp_ev_payload *ev = calloc(1, sizeof(*ev) + KP_ALIGN8(len));

	ev->hdr = (struct kp_hdr){.size = sizeof(*ev) + KP_ALIGN8(len),
				  .kind = KP_EV_payload,
				  .pid = tid,
				  .tid = tid};
	ev->seq = seq;
	ev->nr = nr;
	ev->arg = arg;
	ev->offset = offset;
	ev->data_len = len;
	memcpy(ev + 1, text, len);
	cr_assert_eq(kp_names_add(&names, &ev->hdr), 0);
	free(ev); /* what is kept is a copy */
}

static const char *printed(const struct kp_ev_syscall *call)
{
	static struct kp_buf out;

	kp_buf_reset(&out);
	kp_syscall_print(call, kp_names_texts(&names, call), &out);
	return out.data;
}

Test(names, texts_are_those_of_the_call)
{
	struct kp_ev_syscall call = {
		.hdr = {.tid = 9}, .nr = SYS_rename, .seq = 3, .arg0 = 0x1000, .arg1 = 0x2000};

	add_payload(9, 3, SYS_rename, 0, "/a\033b\0rest", 10, 0);
	add_payload(9, 3, SYS_rename, 1, "no end", 6, 0);
	add_payload(8, 3, SYS_rename, 1, "another task's", 15, 0);
	cr_expect_str_eq(printed(&call), "rename(oldpath \"/a\\x1bb\", newpath \"no end\"...) = 0");
	call.seq = 4; /* the next call has its own or none */
	cr_expect_str_eq(printed(&call), "rename(oldpath 0x1000, newpath 0x2000) = 0");
	add_payload(9, 4, SYS_rename, 1, "new", 4, 0);
	cr_expect_str_eq(printed(&call), "rename(oldpath 0x1000, newpath \"new\") = 0");
	call.seq = 0;
	cr_expect_str_eq(printed(&call), "rename(oldpath 0x1000, newpath 0x2000) = 0");
}

Test(names, only_text_is_text)
{
	struct kp_ev_syscall call = {
		.hdr = {.tid = 9}, .nr = SYS_write, .seq = 1, .arg0 = 1, .arg1 = 0x1000, .arg2 = 5};

	add_payload(9, 1, SYS_write, 1, "bytes", 5, 0);
	add_payload(9, 1, SYS_write, 77, "bytes", 5, 0);
	add_payload(9, 1, 9999, 0, "bytes", 5, 0);
	cr_expect_str_eq(printed(&call), "write(fd 1, buf 0x1000, count 5) = 0");
}

Test(names, a_log_that_never_calls_does_not_fill_the_memory)
{
	for (uint32_t tid = 1; tid < 5000; tid++)
		add_payload(tid, 1, SYS_chdir, 0, "/", 2, 0);
	cr_expect_leq(names.calls.cnt, 1024);
}
