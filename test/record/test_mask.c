/* SPDX-License-Identifier: MIT
 * Card numbers in events: texts of any process, bytes of those recorded for replay.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "event/event.h"
#include "kprobe/syscall.h"
#include "record/mask.h"
#include "record/sink.h"

/* The last event that was put. */
static _Alignas(8) unsigned char room[KP_EVENT_MAX];
static struct kp_hdr *const event = (struct kp_hdr *)room;

static void keep(void *arg, const struct kp_hdr *put)
{
	(void)arg;
	memcpy(room, put, put->size);
}

static const struct kp_sink sink = {keep, NULL};

static void expect_valid(void)
{
	struct kp_err err = {""};

	cr_expect_eq(kp_event_validate(event, event->size, &err), 0, "%s", err.text);
}

Test(mask, texts)
{
	static const char argv[] = "pay\0--card=4111 1111 1111 1111\0-x";
	struct kp_ev_task task = {.comm = "411111111111111"};
	struct kp_ev_fd fd = {.fd = 3};
	const char *path = "/spool/5555555555554444.txt";

	kp_sink_put(&sink, KP_EV_task, &task, sizeof(task), argv, sizeof(argv));
	kp_mask_texts(event);
	expect_valid();
	/* A sixteenth digit may have been cut off. */
	cr_expect_str_eq(((struct kp_ev_task *)event)->comm, "411111*********");
	cr_expect(!memcmp(KP_TAIL((struct kp_ev_task *)event),
			  "pay\0--card=4111 11** **** 1111\0-x", sizeof(argv)));

	kp_sink_put(&sink, KP_EV_fd, &fd, sizeof(fd), path, strlen(path));
	kp_mask_texts(event);
	expect_valid();
	cr_expect(!memcmp(KP_TAIL((struct kp_ev_fd *)event), "/spool/555555******4444.txt",
			  strlen(path)));
}

/* --- bytes of calls --- */

struct call {
	uint16_t nr;
	uint8_t arg, dir;
	uint32_t tid, fd, seq, idx;
	uint64_t addr;
};

/* What is left of the bytes when the event has passed the masker. */
static const char *pass(struct kp_masker *masker, struct call call, const void *data, size_t len)
{
	static char text[256];
	struct kp_ev_payload ev = {.hdr = {.pid = 100, .tid = call.tid},
				   .addr = call.addr,
				   .seq = call.seq,
				   .want_len = (uint32_t)len,
				   .idx = call.idx,
				   .nr = call.nr,
				   .arg = call.arg,
				   .dir = call.dir,
				   .arg0 = call.fd};
	uint32_t masked = 0;

	kp_sink_put(&sink, KP_EV_payload, &ev, sizeof(ev), data, len);
	kp_masker_event(masker, event);
	expect_valid();
	snprintf(text, sizeof(text), "%.*s", (int)len, KP_TAIL((struct kp_ev_payload *)event));
	for (size_t i = 0; i < len; i++)
		masked += KP_TAIL((struct kp_ev_payload *)event)[i] !=
			  ((const unsigned char *)data)[i];
	cr_expect_eq(((struct kp_ev_payload *)event)->masked, masked, "%s", text);
	return text;
}

static const char *pass_text(struct kp_masker *masker, struct call call, const char *text)
{
	return pass(masker, call, text, strlen(text));
}

static struct call reads(uint32_t fd, uint32_t seq)
{
	return (struct call){
		.nr = KP_NR_read, .arg = 1, .dir = KP_DIR_OUT, .tid = 100, .fd = fd, .seq = seq};
}

static struct call writes(uint32_t fd, uint32_t seq)
{
	return (struct call){
		.nr = KP_NR_write, .arg = 1, .dir = KP_DIR_IN, .tid = 100, .fd = fd, .seq = seq};
}

Test(mask, a_number_over_calls_on_one_descriptor)
{
	struct kp_masker *m = kp_masker_new();

	cr_expect_str_eq(pass_text(m, reads(3, 1), "pan 411111111"), "pan 411111***");
	cr_expect_str_eq(pass_text(m, writes(3, 2), "1111111 a"), "1111111 a");
	cr_expect_str_eq(pass_text(m, reads(4, 3), "1111111 b"), "1111111 b");
	cr_expect_str_eq(pass_text(m, reads(3, 4), "1111111 c"), "***1111 c");
	cr_expect_str_eq(pass_text(m, reads(3, 5), "4111"), "4111");
	cr_expect_str_eq(pass_text(m, reads(3, 6), " 1111 11"), " 11** **");
	cr_expect_str_eq(pass_text(m, reads(3, 7), "11 1111;"), "** 1111;");
	kp_masker_free(m);
}

/* Calls of a task that changed its CPU come in another order. */
Test(mask, what_comes_before_its_turn_may_be_the_rest_of_a_number)
{
	struct kp_masker *m = kp_masker_new();

	cr_expect_str_eq(pass_text(m, reads(3, 1), "x"), "x");
	cr_expect_str_eq(pass_text(m, reads(3, 3), "1111111 c"), "***1111 c");
	cr_expect_str_eq(pass_text(m, reads(3, 2), "41111111"), "********");
	cr_expect_str_eq(pass_text(m, reads(3, 4), "1111111 d"), "1111111 d");
	kp_masker_free(m);
}

/* Header, name and control data stand between the bytes of two messages. */
Test(mask, messages)
{
	const uint64_t head[7] = {0x1000, 16, 0x2000, 1, 0x3000, 24, 0};
	struct call call = {.nr = KP_NR_recvmsg, .arg = 1, .dir = KP_DIR_OUT, .tid = 100, .fd = 5};
	struct kp_masker *m = kp_masker_new();

	for (uint32_t seq = 1; seq <= 2; seq++) {
		call.seq = seq;
		call.addr = 0x500;
		pass(m, call, head, sizeof(head));
		call.addr = 0x1000;
		pass(m, call, "name 77", 7);
		call.addr = 0x3000;
		pass(m, call, "control 77", 10);
		call.addr = 0x4000;
		cr_expect_str_eq(pass_text(m, call, seq == 1 ? "4111111" : "111111111."),
				 seq == 1 ? "411111*" : "*****1111.");
	}
	kp_masker_free(m);
}

/* A name that ends in digits is no begin of a number: its bytes are all there. */
Test(mask, buffers_that_end)
{
	struct call call = {.nr = KP_NR_openat, .arg = 1, .tid = 100, .fd = 0xffffff9c, .seq = 1};
	struct kp_masker *m = kp_masker_new();

	cr_expect_str_eq(pass(m, call, "/a/41111111", 12), "/a/41111111");
	call.seq = 2;
	cr_expect_str_eq(pass(m, call, "1111111", 8), "1111111");
	call.seq = 3;
	cr_expect_str_eq(pass(m, call, "/a/4111111111111111", 20), "/a/411111******1111");
	kp_masker_free(m);
}

/* --- memory --- */

Test(mask, signals)
{
	struct kp_masker *m = kp_masker_new();
	struct kp_ev_signal_deliver ev = {.sig = 14};
	struct kp_delivery data = {.regs = {.ip = 0x401000}};
	const struct kp_delivery *left;

	memcpy(&data.regs.ax, "41111111", 8);
	memcpy(data.pointed[2], "pan=4111111111111111;", 21);
	memcpy(data.pointed[3], "11111111;", 9); /* from its ninth digit on */
	memcpy(data.stack + KP_STACK_LEN - 9, " 41111111", 9);
	kp_sink_put(&sink, KP_EV_signal_deliver, &ev, sizeof(ev), &data, sizeof(data));
	kp_masker_event(m, event);
	expect_valid();
	left = (const void *)KP_TAIL((struct kp_ev_signal_deliver *)event);
	cr_expect_eq(left->regs.ip, 0x401000);
	cr_expect(!memcmp(&left->regs.ax, "********", 8));
	cr_expect_str_eq((const char *)left->pointed[2], "pan=411111******1111;");
	cr_expect_str_eq((const char *)left->pointed[3], "****1111;");
	cr_expect(!memcmp(left->stack + KP_STACK_LEN - 9, " 411111**", 9));
	cr_expect_eq(((struct kp_ev_signal_deliver *)event)->masked, 8 + 6 + 4 + 2);
	kp_masker_free(m);
}

Test(mask, memory_in_pieces)
{
	struct kp_masker *m = kp_masker_new();
	struct kp_ev_memory ev = {.addr = 0x1000, .image = 1};

	kp_sink_put(&sink, KP_EV_memory, &ev, sizeof(ev), "...4111 1111 ", 13);
	kp_masker_event(m, event);
	cr_expect(!memcmp(KP_TAIL((struct kp_ev_memory *)event), "...4111 11** ", 13));
	ev.addr += 13;
	ev.hdr.time_ns = 0;
	kp_sink_put(&sink, KP_EV_memory, &ev, sizeof(ev), "1111 1111\0", 10);
	kp_masker_event(m, event);
	expect_valid();
	cr_expect(!memcmp(KP_TAIL((struct kp_ev_memory *)event), "**** 1111\0", 10));
	cr_expect_eq(((struct kp_ev_memory *)event)->masked, 4);
	kp_masker_free(m);
}
