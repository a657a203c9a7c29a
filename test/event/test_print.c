/* SPDX-License-Identifier: MIT
 * What events look like as text and JSON, and the statements made from the table.
 */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "event/event.h"

static const char *text_of(const void *event, uint64_t base_ns, struct kp_buf *out)
{
	const struct kp_ev_socket sock = {
		.sock = 7,
		.laddr = {[10] = 0xff, 0xff, 127, 0, 0, 1},
		.raddr = {0xfd, [15] = 1},
		.lport = 80,
		.rport = 4000,
		.ino = 4711,
		.netns = 4026531840,
	};
	const struct kp_print how = {.base_ns = base_ns,
				     .sock = kp_event_sock(event) == 7 ? &sock : NULL};

	kp_buf_reset(out);
	kp_event_print_text(event, &how, out);
	return out->data;
}

Test(print, symbols)
{
	struct kp_buf out = {0};
	struct kp_ev_sched_switch change = {
		.hdr = {1500000001, sizeof(change), KP_EV_sched_switch, 3, 10, 11},
		.prev_state = 0x102,
		.next_pid = 20,
		.next_tid = 21,
		.prev_prio = 120,
		.next_prio = 100,
		.flags = 2,
	};
	struct kp_ev_sched_waking wake = {
		.hdr = {1500000001, sizeof(wake), KP_EV_sched_waking, 0, 10, 11},
		.target_pid = 5,
		.target_tid = 6,
		.sock = 7,
		.ctx = KP_CTX_SOFTIRQ | KP_CTX_NET,
		.softirq = 3,
		.nr = KP_NR_NONE,
	};
	struct kp_ev_signal_generate sig = {
		.hdr = {999999999, sizeof(sig), KP_EV_signal_generate, KP_CPU_USER, 1, 1},
		.sig = 14,
		.code = -6,
	};
	struct kp_ev_file_sync sync = {
		.hdr = {2000000000, sizeof(sync), KP_EV_file_sync, 1, 1, 1},
		.entry_ns = 1250000000,
		.ret = -5,
	};

	cr_expect_str_eq(
		text_of(&change, 0, &out),
		"1.500000001 cpu3 sched_switch 10/11 prev_state=DK next_pid=20 next_tid=21 "
		"prev_prio=120 next_prio=100 prev_maj_flt=0 flags=0x2");
	cr_expect_str_eq(text_of(&wake, 1000000000, &out),
			 "0.500000001 cpu0 sched_waking 10/11 target_pid=5 target_tid=6 obj=0x0 "
			 "sock=7 laddr=127.0.0.1 raddr=fd00::1 netns=4026531840 lport=80 "
			 "rport=4000 "
			 "target_cpu=0 ctx=softirq|net softirq=3");
	cr_expect_str_eq(text_of(&sig, 1000000000, &out),
			 "-0.000000001 user signal_generate 1/1 target_pid=0 target_tid=0 "
			 "sig=SIGALRM code=-6 result=0 ctx=task");
	cr_expect_str_eq(text_of(&sync, 1000000000, &out),
			 "1.000000000 cpu1 file_sync 1/1 entry_ns=0.250000000 ret=-EIO datasync=0");
	kp_buf_done(&out);
}

Test(print, reasons)
{
	struct kp_ev_packet_drop drop = {
		.hdr = {1500000000, sizeof(drop), KP_EV_packet_drop, 0, 1, 1},
		.saddr = {[10] = 0xff, 0xff, 10, 0, 0, 1},
		.daddr = {[10] = 0xff, 0xff, 10, 0, 0, 2},
		.reason = 6,
	};
	struct kp_ev_tcp_retransmit again = {
		.hdr = {1500000000, sizeof(again), KP_EV_tcp_retransmit, 0, 1, 1},
		.why = KP_RETRANSMIT_tlp,
	};
	struct kp_print how = {.reason = "SOCKET_RCVBUFF"};
	struct kp_buf out = {0};

	kp_event_print_text(&drop.hdr, &how, &out);
	cr_expect_str_eq(out.data, "1.500000000 cpu0 packet_drop 1/1 location=0x0 saddr=10.0.0.1 "
				   "daddr=10.0.0.2 reason=SOCKET_RCVBUFF tcp_seq=0 tcp_ack=0 len=0 "
				   "total_len=0 window=0 protocol=0 tcp_flags=0x0");
	kp_buf_reset(&out);
	kp_event_print_json(&drop.hdr, &how, &out);
	cr_expect(strstr(out.data, ",\"reason\":6,\"reason_name\":\"SOCKET_RCVBUFF\",\"tcp_seq\""),
		  "%s", out.data);
	cr_expect(strstr(text_of(&drop, 0, &out), " reason=6 "), "a number without a name");
	drop.reason = KP_REASON_UNTOLD;
	cr_expect_null(strstr(text_of(&drop, 0, &out), "reason"));
	cr_expect(strstr(text_of(&again, 0, &out), " why=tlp"), "%s", out.data);
	kp_buf_done(&out);
}

Test(print, tails)
{
	union {
		struct kp_ev_command ev;
		char bytes[sizeof(struct kp_ev_command) + 16];
	} u = {.ev = {.hdr = {.size = sizeof(u), .kind = KP_EV_command}, .data_len = 12}};
	struct kp_buf out = {0};

	memcpy(u.bytes + sizeof(u.ev), "ls\0-l\n\xff\0\xc2\x9b\0", 12);
	cr_expect_str_eq(strstr(text_of(&u, 0, &out), " data="),
			 " data=[\"ls\" \"-l\\n\\xff\" \"\\u009b\" \"\"]");
	kp_buf_reset(&out);
	kp_event_print_json(&u.ev.hdr, &(struct kp_print){0}, &out);
	cr_expect_str_eq(strstr(out.data, ",\"data\":"),
			 ",\"data\":[\"ls\",\"-l\\u000a\\ufffd\",\"\\u009b\",\"\"]}");
	kp_buf_done(&out);
}

Test(print, base64)
{
	static const char *const want[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
					   "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	union {
		struct kp_ev_memory ev;
		char bytes[sizeof(struct kp_ev_memory) + 8];
	} u;
	struct kp_buf out = {0};
	char end[32];

	for (uint32_t len = 0; len <= 6; len++) {
		memset(&u, 0, sizeof(u));
		u.ev.hdr.kind = KP_EV_memory;
		u.ev.hdr.size = sizeof(u.ev) + KP_ALIGN8(len);
		u.ev.data_len = len;
		memcpy(u.bytes + sizeof(u.ev), "foobar", len);
		kp_buf_reset(&out);
		kp_event_print_json(&u.ev.hdr, &(struct kp_print){0}, &out);
		snprintf(end, sizeof(end), ",\"data\":\"%s\"}", want[len]);
		cr_expect_str_eq(strstr(out.data, ",\"data\""), end);
	}
	kp_buf_done(&out);
}

Test(schema, sqlite_takes_the_statements)
{
	struct kp_buf ddl = {0};
	sqlite3 *db;
	char *text = NULL;

	kp_event_print_ddl(&ddl);
	cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, ddl.data, NULL, NULL, &text), SQLITE_OK, "%s", text);
	cr_assert_eq(
		sqlite3_exec(db, "SELECT \"order\", time_ns FROM ev_reclaim", NULL, NULL, &text),
		SQLITE_OK, "%s", text);
	sqlite3_close(db);
	kp_buf_done(&ddl);
}
