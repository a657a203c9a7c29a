/* SPDX-License-Identifier: MIT
 * The engine on programs of a few instructions: what is exact, what diverges and how it is said,
 * what is refused.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpuid.h"
#include "kprobe/log_format.h"
#include "synth.h"

/* write(1, DATA, 3); read(0, DATA, 4); exit_group(first byte read) */
static const unsigned char program[] = {
	0xb8, 1,    0,    0,    0,                /* mov eax, 1 */
	0xbf, 1,    0,    0,    0,                /* mov edi, 1 */
	0xbe, 0,    0x10, 0x40, 0,                /* mov esi, DATA */
	0xba, 3,    0,    0,    0,                /* mov edx, 3 */
	0x0f, 0x05,                               /* syscall */
	0x31, 0xc0,                               /* xor eax, eax */
	0x31, 0xff,                               /* xor edi, edi */
	0xba, 4,    0,    0,    0,                /* mov edx, 4 */
	0x0f, 0x05,                               /* syscall */
	0x0f, 0xb6, 0x3c, 0x25, 0, 0x10, 0x40, 0, /* movzx edi, byte [DATA] */
	0xb8, 231,  0,    0,    0,                /* mov eax, exit_group */
	0x0f, 0x05,                               /* syscall */
	0x0f, 0x0b,                               /* ud2 */
};

static void begin(struct synth *s)
{
	synth_begin(s, program, sizeof program, "hi\n", 3);
}

static void put_write(struct synth *s, const char *text)
{
	synth_payload(s, SYS_write, 1, KP_DIR_IN, SYNTH_DATA, text, 3);
	synth_call(s, SYS_write, 3, 1, SYNTH_DATA, 3);
}

static void put_read(struct synth *s)
{
	synth_payload(s, SYS_read, 1, KP_DIR_OUT, SYNTH_DATA, "\7abc", 4);
	synth_call(s, SYS_read, 4, 0, SYNTH_DATA, 4);
}

static void collect(int stream, const void *data, size_t len, void *arg)
{
	struct kp_buf *out = arg;

	kp_buf_printf(out, "%d:", stream);
	kp_buf_append(out, data, len);
}

Test(engine, replays_a_program)
{
	struct kp_buf out = {0};
	struct kp_replay_options options = {.output = collect, .arg = &out};
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	put_write(&s, "hi\n");
	put_read(&s);
	synth_exit(&s, 7 << 8);
	result = synth_run(&s, &options);
	cr_assert_eq(result.verdict, KP_VERDICT_EXACT, "%s %s %s", result.reason, s.err.text,
		     result.evidence.data);
	cr_expect_eq(result.calls, 2);
	cr_expect_eq(result.bytes_in, 3);
	cr_expect_eq(result.bytes_out, 4);
	cr_expect_eq(result.exit_status, 7 << 8);
	cr_expect_str_eq(out.data, "1:hi\n");
	kp_buf_done(&out);
	synth_done(&s, &result);
}

Test(engine, names_the_first_differing_byte)
{
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	put_write(&s, "hx\n");
	put_read(&s);
	synth_exit(&s, 7 << 8);
	result = synth_run(&s, NULL);
	cr_assert_eq(result.verdict, KP_VERDICT_DIVERGED);
	cr_expect_eq(result.seq, 1);
	cr_expect_eq(result.differs_at, 1);
	cr_expect(strstr(result.expected, "write(fd 1"), "%s", result.expected);
	cr_expect(strstr(result.evidence.data, "68 78 0a"), "%s", result.evidence.data);
	synth_done(&s, &result);
}

Test(engine, names_another_call_argument_and_status)
{
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	synth_call(&s, SYS_getpid, 3, 0, 0, 0);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_DIVERGED);
	cr_expect(strstr(result.got, "write(fd 1, buf 0x401000, count 3)"), "%s", result.got);
	synth_done(&s, &result);

	begin(&s);
	synth_payload(&s, SYS_write, 1, KP_DIR_IN, SYNTH_DATA, "hi\n", 3);
	synth_call(&s, SYS_write, 3, 2, SYNTH_DATA, 3);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_DIVERGED);
	cr_expect_str_eq(result.reason, "write: argument 0 (fd) differs");
	synth_done(&s, &result);

	begin(&s);
	put_write(&s, "hi\n");
	put_read(&s);
	synth_exit(&s, 8 << 8);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_DIVERGED);
	synth_done(&s, &result);
}

/* The program writes what it has, of which the log has `text`, with so many bytes masked; reads
 * four bytes, of which the log has that many masked; and ends. */
static struct kp_replay_result run_masked(struct synth *s, const char *has, const char *text,
					  uint32_t written, uint32_t was_read)
{
	synth_begin(s, program, sizeof program, has, 3);
	synth_masked(s, SYS_write, 1, KP_DIR_IN, SYNTH_DATA, text, 3, written);
	synth_call(s, SYS_write, 3, 1, SYNTH_DATA, 3);
	synth_masked(s, SYS_read, 1, KP_DIR_OUT, SYNTH_DATA, "\7abc", 4, was_read);
	synth_call(s, SYS_read, 4, 0, SYNTH_DATA, 4);
	synth_exit(s, 7 << 8);
	return synth_run(s, NULL);
}

Test(engine, what_had_masked_bytes_is_neither_exact_nor_proven_to_differ)
{
	static const struct {
		const char *has, *text;
		uint32_t written, was_read;
		enum kp_verdict verdict;
	} rows[] = {
		{"hi\n", "hi\n", 0, 0, KP_VERDICT_EXACT},
		{"41\n", "4*\n", 1, 0, KP_VERDICT_MASKED},   /* a digit */
		{"4x\n", "4*\n", 1, 0, KP_VERDICT_REFUSED},  /* no digit */
		{"41\n", "4*\n", 0, 0, KP_VERDICT_DIVERGED}, /* a '*' that was one */
		{"hi\n", "hi\n", 0, 2, KP_VERDICT_MASKED},
		{"hi\n", "hx\n", 0, 2, KP_VERDICT_DIVERGED}, /* before the first that is masked */
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct synth s;
		struct kp_replay_result result = run_masked(&s, rows[i].has, rows[i].text,
							    rows[i].written, rows[i].was_read);

		cr_expect_eq(result.verdict, rows[i].verdict, "row %zu: %s: %s", i,
			     kp_verdict_name(result.verdict), result.reason);
		cr_expect_eq(s.session.masked, rows[i].written + rows[i].was_read);
		synth_done(&s, &result);
	}
}

/* Memory at the begin: whatever differs may come from it. */
Test(engine, masked_memory_is_met_at_once)
{
	struct kp_ev_memory memory = {
		.addr = SYNTH_DATA + 64, .image = 1, .masked = 6, .data_len = 4};
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	SYNTH_PUT(&s, memory, &memory, "****", 4);
	put_write(&s, "hx\n");
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_REFUSED);
	cr_expect(strstr(result.reason, "masked"), "%s", result.reason);
	synth_done(&s, &result);
}

static void expect_refused(struct synth *s, const char *why)
{
	struct kp_replay_result result = synth_run(s, NULL);

	cr_expect_eq(result.verdict, KP_VERDICT_REFUSED, "%s: %s", why, result.reason);
	cr_expect(strstr(result.reason, why), "%s", result.reason);
	synth_done(s, &result);
}

/* A log's folder with the objects that put_file wants. */
static char objects_dir[64];

static ssize_t give_text(void *arg, uint64_t *at, unsigned char *piece)
{
	const char *text = arg;

	if (*at)
		return 0;
	memcpy(piece, text, strlen(text));
	return (ssize_t)strlen(text);
}

static void make_object(const char *text, struct kp_object *ret_object)
{
	const struct kp_object_source source = {strlen(text), give_text, (void *)text};
	struct kp_objects *objects;
	struct kp_err err = {""};
	int fd;

	if (!objects_dir[0]) {
		strcpy(objects_dir, "/tmp/kprobe-engine-XXXXXX");
		cr_assert_not_null(mkdtemp(objects_dir));
	}
	fd = open(objects_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(kp_objects_make(fd, objects_dir, &objects, &err), 0, "%s", err.text);
	cr_assert_eq(kp_objects_put(objects, &source, ret_object, &err), 0, "%s", err.text);
	kp_objects_free(objects);
	close(fd);
}

static void remove_objects(void)
{
	char text[96];

	snprintf(text, sizeof text, "rm -r %s", objects_dir);
	cr_expect_eq(system(text), 0);
	objects_dir[0] = '\0';
}

/* A file whose content is `text`, of which the log says `state`, mapped in the image. */
static void put_file(struct synth *s, const char *path, const char *text, uint32_t state)
{
	uint32_t len = (uint32_t)strlen(text);
	struct kp_ev_file_info info = {.len = len, .file_id = 9, .data_len = strlen(path)};
	struct kp_ev_file_object end = {
		.file_id = 9, .state = state, .data_len = KP_OBJECT_HASH_LEN};
	struct kp_ev_exec_map map = {.start = 0x10000000,
				     .end = 0x10001000,
				     .image = 1,
				     .prot = 1,
				     .file_id = 9,
				     .data_len = strlen(path)};
	struct kp_object object;

	make_object(text, &object);
	end.len = object.len;
	SYNTH_PUT(s, file_info, &info, path, strlen(path));
	SYNTH_PUT(s, file_object, &end, object.hash, KP_OBJECT_HASH_LEN);
	SYNTH_PUT(s, exec_map, &map, path, strlen(path));
	s->session.objects_fd = kp_objects_open(objects_dir);
}

/* What stands in the place of an object. */
static void spoil(const char *text, const char *with)
{
	char name[KP_OBJECT_NAME_LEN], other[KP_OBJECT_NAME_LEN], command[320];
	struct kp_object object;

	make_object(text, &object);
	kp_object_name(&object, name);
	snprintf(command, sizeof command, "rm %s/objects/%s", objects_dir, name);
	if (with) {
		make_object(with, &object);
		kp_object_name(&object, other);
		snprintf(command, sizeof command, "cp %s/objects/%s %s/objects/%s", objects_dir,
			 other, objects_dir, name);
	}
	cr_assert_eq(system(command), 0);
}

Test(engine, refuses_a_file_that_is_not_what_was_mapped)
{
	struct synth s;

	begin(&s);
	put_file(&s, "/lib/moved.so", "text", KP_FILE_CHANGED);
	expect_refused(&s, "'/lib/moved.so', which was mapped, is not in the log: it was changed");

	begin(&s);
	put_file(&s, "/lib/late.so", "text", KP_FILE_DROPPED);
	expect_refused(&s, "'/lib/late.so', which was mapped, is not in the log: the recording "
			   "ended");

	begin(&s);
	put_file(&s, "/lib/full.so", "text", KP_FILE_UNWRITTEN);
	expect_refused(&s, "'/lib/full.so', which was mapped, is not in the log: the recorder "
			   "could not write it");
	remove_objects();
}

Test(engine, refuses_a_content_that_is_not_there_or_another)
{
	struct synth s;

	begin(&s);
	put_file(&s, "/lib/swapped.so", "text", KP_FILE_WHOLE);
	spoil("text", "tent");
	expect_refused(&s, "the content of '/lib/swapped.so' is damaged: objects/");

	begin(&s);
	put_file(&s, "/lib/gone.so", "gone", KP_FILE_WHOLE);
	spoil("gone", NULL);
	expect_refused(&s, "the content of '/lib/gone.so' is missing");

	begin(&s);
	put_file(&s, "/lib/alone.so", "text", KP_FILE_WHOLE);
	close(s.session.objects_fd);
	s.session.objects_fd = -1;
	expect_refused(&s, "is not there ('/lib/alone.so' is the first that is missing): copy it");
	remove_objects();
}

Test(engine, refuses_what_is_incomplete)
{
	struct kp_ev_task_fork fork = {.child_pid = SYNTH_PID, .child_tid = SYNTH_PID + 1};
	struct kp_ev_lost lost = {
		.count = 1, .lost_group = KP_GROUP_payload, .lost_stream = KP_STREAM_SELECTED};
	struct synth s;

	begin(&s);
	put_write(&s, "hi\n");
	s.seq++;
	put_read(&s);
	expect_refused(&s, "hole");

	begin(&s);
	put_write(&s, "hi\n");
	synth_call(&s, SYS_read, 4, 0, SYNTH_DATA, 4);
	expect_refused(&s, "behind argument 1 is not in the log");

	begin(&s);
	SYNTH_PUT(&s, task_fork, &fork, NULL, 0);
	expect_refused(&s, "multi-threaded");

	begin(&s);
	SYNTH_PUT(&s, lost, &lost, NULL, 0);
	expect_refused(&s, "lost");

	memset(&s, 0, sizeof s);
	kp_session_init(&s.session, SYNTH_PID);
	put_write(&s, "hi\n");
	expect_refused(&s, "not recorded from its exec");
}

Test(engine, refuses_calls_that_cannot_be_served)
{
	struct synth s;
	/* mov eax, userfaultfd; xor edi, edi; syscall */
	static const unsigned char code[] = {0xb8, 0x43, 1, 0, 0, 0x31, 0xff, 0x0f, 0x05};

	synth_begin(&s, code, sizeof code, NULL, 0);
	synth_call(&s, SYS_userfaultfd, 3, 0, 0, 0);
	expect_refused(&s, "called userfaultfd, which replay cannot serve");
}

Test(engine, a_number_that_comes_again_is_another_process)
{
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	put_write(&s, "hi\n");
	put_read(&s);
	synth_exit(&s, 7 << 8);
	s.seq = 0;
	put_write(&s, "no\n");
	synth_exit(&s, 1 << 8);
	result = synth_run(&s, NULL);
	cr_assert_eq(result.verdict, KP_VERDICT_EXACT, "%s", result.reason);
	cr_expect_eq(result.exit_status, 7 << 8);
	cr_expect_str_eq(result.uncovered.data, "a later process of the same number");
	synth_done(&s, &result);
}

/* A fork that ran no program, and behind it one of the same number that did. */
Test(engine, a_fork_makes_room_for_a_program)
{
	struct kp_session session;
	struct kp_ev_syscall call = {.hdr = {.size = sizeof call,
					     .kind = KP_EV_syscall,
					     .pid = 5,
					     .tid = 5,
					     .time_ns = 10},
				     .seq = 1};
	struct kp_ev_task_exit end = {.hdr = {.size = sizeof end,
					      .kind = KP_EV_task_exit,
					      .pid = 5,
					      .tid = 5,
					      .time_ns = 20},
				      .group_dead = 1};

	kp_session_init(&session, 5);
	cr_expect_eq(kp_session_add(&session, &call.hdr, NULL), 0);
	cr_expect_eq(kp_session_add(&session, &end.hdr, NULL), 0);
	call.hdr.time_ns = 30;
	cr_expect_eq(kp_session_add(&session, &call.hdr, NULL), 0);
	cr_expect_eq(session.steps.cnt, 1);
	cr_expect_null(session.exit);
	cr_expect(!session.reused);
	kp_session_done(&session);
}

/* Before the call is made nothing of it can be compared; with seccomp it is never made. */
Test(engine, a_call_that_seccomp_answered_is_a_result_only)
{
	struct kp_ev_syscall call = {.ret = 3,
				     .arg0 = 1,
				     .arg1 = SYNTH_DATA,
				     .arg2 = 3,
				     .nr = SYS_write,
				     .flags = KP_SYSF_PAYLOAD | KP_SYSF_NOENTRY};
	struct kp_buf out = {0};
	struct kp_replay_options options = {.output = collect, .arg = &out};
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	call.seq = ++s.seq;
	SYNTH_PUT(&s, syscall, &call, NULL, 0);
	put_read(&s);
	synth_exit(&s, 7 << 8);
	result = synth_run(&s, &options);
	cr_assert_eq(result.verdict, KP_VERDICT_EXACT, "%s", result.reason);
	cr_expect_eq(result.bytes_in, 0);
	cr_expect_eq(out.len, 0);
	cr_expect_str_eq(result.uncovered.data, "the bytes of 1 call that seccomp answered");
	kp_buf_done(&out);
	synth_done(&s, &result);
}

Test(engine, a_recording_that_ends_first_is_exact_so_far)
{
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	put_write(&s, "hi\n");
	SYNTH_PUT(&s, record_stats, &(struct kp_ev_record_stats){0}, NULL, 0);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_EXACT, "%s", result.reason);
	cr_expect(result.truncated);
	synth_done(&s, &result);
}

Test(engine, refuses_a_log_without_an_end)
{
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	put_write(&s, "hi\n");
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_REFUSED);
	cr_expect_not_null(strstr(result.reason, "1 system calls and 3 bytes were identical"));
	synth_done(&s, &result);
}

/* exit_group(ebx of leaf 1 + XCR0) */
static const unsigned char asks_cpu[] = {
	0xb8, 1,    0,    0, 0, /* mov eax, 1 */
	0x31, 0xc9,             /* xor ecx, ecx */
	0x0f, 0xa2,             /* cpuid */
	0x89, 0xdf,             /* mov edi, ebx */
	0x31, 0xc9,             /* xor ecx, ecx */
	0x0f, 0x01, 0xd0,       /* xgetbv */
	0x01, 0xc7,             /* add edi, eax */
	0xb8, 231,  0,    0, 0, /* mov eax, exit_group */
	0x0f, 0x05,             /* syscall */
};

Test(engine, a_start_that_never_ends_is_no_hang, .timeout = 120)
{
	static const unsigned char spin[] = {0xeb, 0xfe}; /* jmp to itself */
	struct kp_ev_cpu_model cpu = {.data_len = sizeof(struct kp_cpuid)};
	struct kp_cpuid table = {.leaf = 1};
	struct kp_replay_result result;
	struct synth s;

	synth_begin(&s, spin, sizeof spin, NULL, 0);
	SYNTH_PUT(&s, cpu_model, &cpu, &table, sizeof table);
	synth_exit(&s, 0);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_REFUSED, "%s", result.reason);
	synth_done(&s, &result);
}

Test(engine, gives_the_answers_of_the_recorded_cpu)
{
	struct kp_ev_cpu_model cpu = {.xcr0 = 2, .data_len = sizeof(struct kp_cpuid)};
	struct kp_cpuid table = {.leaf = 1, .ebx = 40};
	struct kp_replay_result result;
	struct synth s;

	synth_begin(&s, asks_cpu, sizeof asks_cpu, NULL, 0);
	SYNTH_PUT(&s, cpu_model, &cpu, &table, sizeof table);
	synth_exit(&s, 42 << 8);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_EXACT, "%s %s", result.reason, result.got);
	synth_done(&s, &result);
}

Test(engine, hostile_addresses_end_in_a_verdict)
{
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	put_write(&s, "hi\n");
	synth_payload(&s, SYS_read, 1, KP_DIR_OUT, 0xffff800000000000, "\7abc", 4);
	synth_call(&s, SYS_read, 4, 0, 0xffff800000000000, 4);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_DIVERGED);
	synth_done(&s, &result);

	synth_begin(&s, program, sizeof program, "hi\n", 3);
	synth_memory(&s, 0x7fffffff0000, "x", 1);
	expect_refused(&s, "no mapping there");
}

/* Bytes that are said to be another call's, another argument's or elsewhere are nobody's output. */
Test(engine, bytes_must_be_the_calls_own)
{
	struct synth s;

	begin(&s);
	synth_payload(&s, SYS_pwrite64, 1, KP_DIR_IN, SYNTH_DATA, "hi\n", 3);
	synth_call(&s, SYS_write, 3, 1, SYNTH_DATA, 3);
	expect_refused(&s, "not this call's");

	begin(&s);
	synth_payload(&s, SYS_write, 2, KP_DIR_IN, SYNTH_DATA, "hi\n", 3);
	synth_call(&s, SYS_write, 3, 1, SYNTH_DATA, 3);
	expect_refused(&s, "not this call's");

	begin(&s);
	synth_payload(&s, SYS_write, 1, KP_DIR_OUT, SYNTH_DATA, "hi\n", 3);
	synth_call(&s, SYS_write, 3, 1, SYNTH_DATA, 3);
	expect_refused(&s, "not this call's");

	begin(&s);
	synth_payload(&s, SYS_write, 1, KP_DIR_IN, SYNTH_DATA + 1, "i\n", 2);
	synth_call(&s, SYS_write, 3, 1, SYNTH_DATA, 3);
	expect_refused(&s, "not this call's");

	begin(&s);
	synth_call(&s, SYS_write, 3, 1, SYNTH_DATA, 3);
	expect_refused(&s, "behind argument 1 is not in the log");
}

Test(engine, a_call_that_the_table_does_not_know_is_refused)
{
	/* eax = 511; syscall */
	static const unsigned char code[] = {0xb8, 0xff, 1, 0, 0, 0x0f, 0x05};
	struct synth s;

	synth_begin(&s, code, sizeof code, NULL, 0);
	synth_call(&s, 511, 0, 0, 0, 0);
	expect_refused(&s, "not in the table");
}

Test(engine, stops_where_it_is_told)
{
	struct kp_replay_options options = {.until_seq = 2};
	struct kp_replay_result result;
	struct synth s;

	begin(&s);
	put_write(&s, "hi\n");
	put_read(&s);
	synth_exit(&s, 7 << 8);
	result = synth_run(&s, &options);
	cr_expect_eq(result.verdict, KP_VERDICT_EXACT);
	cr_expect(result.stopped);
	cr_expect_eq(result.calls, 1);
	cr_expect(strstr(result.evidence.data, "next: read("), "%s", result.evidence.data);
	synth_done(&s, &result);
}

Test(engine, serves_memory_at_its_recorded_place)
{
	/* mmap(0, 4096, 3, 0x22, -1, 0); then store to it and write(1, it, 1); exit_group(0) */
	static const unsigned char code[] = {
		0xb8, 9,    0,    0,    0,    0x31, 0xff,                /* eax = mmap; edi = 0 */
		0xbe, 0,    0x10, 0,    0,    0xba, 3,    0,    0,    0, /* esi = 4096; edx = 3 */
		0x41, 0xba, 0x22, 0,    0,    0,                         /* r10d = 0x22 */
		0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, 0x45, 0x31, 0xc9, /* r8 = -1; r9 = 0 */
		0x0f, 0x05, 0xc6, 0,    0x58,                               /* *rax = 'X' */
		0x48, 0x89, 0xc6, 0xba, 1,    0,    0,    0,                /* rsi = rax; edx = 1 */
		0xbf, 1,    0,    0,    0,    0xb8, 1,    0,    0,    0,    /* edi = eax = 1 */
		0x0f, 0x05, 0xb8, 231,  0,    0,    0,    0x31, 0xff, 0x0f, 0x05,
	};
	struct kp_ev_syscall map = {.ret = 0x7e0000000000,
				    .arg1 = 4096,
				    .arg2 = 3,
				    .arg3 = 0x22,
				    .arg4 = UINT64_MAX,
				    .nr = SYS_mmap,
				    .flags = KP_SYSF_PAYLOAD};
	struct kp_replay_result result;
	struct synth s;

	synth_begin(&s, code, sizeof code, NULL, 0);
	map.seq = ++s.seq;
	SYNTH_PUT(&s, syscall, &map, NULL, 0);
	synth_payload(&s, SYS_write, 1, KP_DIR_IN, 0x7e0000000000, "X", 1);
	synth_call(&s, SYS_write, 1, 1, 0x7e0000000000, 1);
	synth_exit(&s, 0);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_EXACT, "%s %s", result.reason, s.err.text);
	cr_expect_eq(result.calls, 2);
	synth_done(&s, &result);
}

static void put_deliver(struct synth *s, int sig, int code, uint64_t handler,
			const struct kp_pt_regs *regs)
{
	struct kp_ev_signal_deliver deliver = {.handler = handler,
					       .sig = sig,
					       .code = code,
					       .seq = s->seq,
					       .data_len = sizeof *regs + 48};
	unsigned char data[sizeof *regs + 48] = {0};

	memcpy(data, regs, sizeof *regs);
	memcpy(data + sizeof *regs, &sig, sizeof sig);
	SYNTH_PUT(s, signal_deliver, &deliver, data, sizeof data);
}

Test(engine, a_fault_happens_again_and_is_compared)
{
	static const unsigned char code[] = {0x31, 0xc0, 0x8b, 0x00}; /* eax = 0; eax = *rax */
	struct kp_pt_regs regs = {.ip = SYNTH_CODE + 2, .orig_ax = UINT64_MAX};
	struct kp_replay_result result;
	struct synth s;

	synth_begin(&s, code, sizeof code, NULL, 0);
	put_deliver(&s, 11, 1, 0, &regs);
	synth_exit(&s, 11);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_EXACT, "%s %s", result.reason, s.err.text);
	cr_expect_eq(result.exit_status, 11);
	synth_done(&s, &result);

	regs.ip++;
	synth_begin(&s, code, sizeof code, NULL, 0);
	put_deliver(&s, 11, 1, 0, &regs);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_DIVERGED);
	synth_done(&s, &result);
}

Test(engine, finds_the_iteration_that_a_signal_interrupted)
{
	/* eax = 0; loop: inc eax; jmp loop */
	static const unsigned char code[] = {0x31, 0xc0, 0xff, 0xc0, 0xeb, 0xfc};
	struct kp_pt_regs regs = {.ip = SYNTH_CODE + 4,
				  .sp = SYNTH_STACK_END - 256,
				  .ax = 1000,
				  .flags = 0x206, /* even parity of 0xe8 */
				  .orig_ax = UINT64_MAX};
	struct kp_replay_result result;
	struct synth s;

	synth_begin(&s, code, sizeof code, NULL, 0);
	put_deliver(&s, 15, 0, 0, &regs);
	synth_exit(&s, 15);
	result = synth_run(&s, NULL);
	cr_expect_eq(result.verdict, KP_VERDICT_EXACT, "%s %s", result.reason, s.err.text);
	cr_expect_eq(result.signals, 1);
	cr_expect_eq(result.exit_status, 15);
	synth_done(&s, &result);
}

/* --- limits --- */

/* The verdict on a process of which the log has nothing but its begin. */
static struct kp_replay_result run_limited(const unsigned char *code, size_t len,
					   const struct kp_replay_options *options)
{
	struct kp_replay_result result;
	struct synth s;

	synth_begin(&s, code, len, NULL, 0);
	synth_map(&s, 0x10000000000, 1ull << 32, 3, "");
	synth_call(&s, 39, 1, 0, 0, 0);
	result = synth_run(&s, options);
	kp_session_done(&s.session);
	return result;
}

Test(limits, memory, .timeout = 60)
{
	/* mov rdi, 0x10000000000; 1: mov [rdi], rdi; add rdi, 4096; jmp 1b */
	static const unsigned char fill[] = {0x48, 0xbf, 0,    0,    0,    0,    0,    1,
					     0,    0,    0x48, 0x89, 0x3f, 0x48, 0x81, 0xc7,
					     0,    0x10, 0,    0,    0xeb, 0xf4};
	struct kp_replay_options options = {.memory_max = 64 << 20};
	struct kp_replay_result result = run_limited(fill, sizeof fill, &options);

	cr_expect_eq(result.verdict, KP_VERDICT_REFUSED);
	cr_expect_str_eq(result.reason, "the memory of a replayed process reached the limit of 64 "
					"MiB behind 0 system calls; --memory SIZE raises it");
	kp_replay_result_done(&result);
}

Test(limits, time, .timeout = 60)
{
	static const unsigned char spin[] = {0xeb, 0xfe};
	struct kp_replay_options options = {.cpu_max_ns = 1000000000};
	struct kp_replay_result result = run_limited(spin, sizeof spin, &options);

	cr_expect_eq(result.verdict, KP_VERDICT_REFUSED);
	cr_expect_str_eq(result.reason, "the CPU time of a replay reached the limit of 1 s behind "
					"0 system calls; --time TIME raises it");
	kp_replay_result_done(&result);
}

Test(limits, what_a_session_keeps)
{
	struct synth s;

	memset(&s, 0, sizeof s);
	kp_session_init(&s.session, SYNTH_PID);
	s.session.held_max = 1 << 20;
	synth_image(&s, "", 1, NULL, 0);
	for (int i = 0; i < 100000; i++)
		synth_call(&s, 39, 1, 0, 0, 0);
	cr_expect(kp_session_is_full(&s.session));
	cr_expect_lt(s.session.held, (1 << 20) + 4096);
	cr_expect_str_eq(s.session.refusal, "the log unpacks to more than 1 MiB for this process; "
					    "--memory SIZE raises it");
	kp_session_done(&s.session);
}

Test(limits, mappings_do_not_overlap)
{
	struct synth s;

	synth_begin(&s, "", 1, NULL, 0);
	synth_map(&s, SYNTH_DATA, 8192, 3, "");
	kp_session_finish(&s.session);
	cr_expect_str_eq(s.session.refusal, "image 1 has mappings that overlap");
	kp_session_done(&s.session);
}

/* Each mmap looks for its file_map behind the call before only. */
Test(engine, mappings_without_their_record_are_refused)
{
	struct kp_ev_file_map map = {.len = 8192, .fd = 3};
	struct synth s;

	begin(&s);
	for (int i = 0; i < 50000; i++)
		SYNTH_PUT(&s, file_map, &map, NULL, 0);
	for (int i = 0; i < 50000; i++)
		synth_call(&s, SYS_mmap, 0x10000000, 0, 4096, 3);
	cr_expect_eq(s.session.file_maps.cnt, 50000);
	kp_session_finish(&s.session);
	for (uint32_t i = 0; i < s.session.steps.cnt; i++)
		cr_assert_null(s.session.steps.at[i].file);
	kp_session_done(&s.session);
}
