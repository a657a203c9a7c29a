/* SPDX-License-Identifier: MIT
 * Reads one process out of a log: once to find it, once to load it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/limit.h"
#include "log/reader.h"
#include "replay/session.h"

/* No call takes longer than it takes to make so many processes. */
#define MADE_MAX 64u
#define LIST_SHOWN 300u   /* bytes of all of them */
#define COMMAND_SHOWN 60u /* bytes of a command when there are several */
#define REPLAY_KINDS                                                                               \
	KP_KINDS(KP_EV_syscall, KP_EV_payload, KP_EV_signal_deliver, KP_EV_task_fork,              \
		 KP_EV_task_exit, KP_EV_command, KP_EV_exec_image, KP_EV_exec_map, KP_EV_memory,   \
		 KP_EV_file_info, KP_EV_file_object, KP_EV_file_map, KP_EV_file_state, KP_EV_lost, \
		 KP_EV_replay_lint, KP_EV_cpu_model, KP_EV_record_stats)
/* Nothing of what the node's other tasks did; the snapshots have the CPU's model. */
#define REPLAY_STREAMS (KP_LOG_SELECTED | KP_LOG_LIFE | KP_LOG_OWN | KP_LOG_SNAPSHOT)

/* "4711 (ls -l /tmp)" */
static void print_command(const struct kp_hdr *event, struct kp_buf *out)
{
	const struct kp_ev_command *command = (const struct kp_ev_command *)event;
	const unsigned char *argv = KP_TAIL(command);
	uint32_t len = command->data_len < COMMAND_SHOWN ? command->data_len : COMMAND_SHOWN;

	kp_buf_printf(out, "%u (", event->pid);
	for (uint32_t i = 0; i + 1 < len; i++)
		kp_buf_putc(out, argv[i] ? (char)argv[i] : ' ');
	kp_buf_puts(out, len < command->data_len ? "…)" : ")");
}

struct commands {
	uint32_t last;      /* pid */
	uint32_t pending;   /* one whose program has not begun yet; 0: none */
	struct kp_buf name; /* of the pending one */
	struct kp_buf list; /* of those that ran */
	uint32_t ran_cnt;
	uint32_t cnt;
};

/* An attempt to run what cannot be executed is none of the commands, unless there is no other. */
static void add_command(struct commands *commands, const struct kp_hdr *event)
{
	if (event->kind == KP_EV_command) {
		kp_buf_reset(&commands->name);
		print_command(event, &commands->name);
		commands->pending = event->pid;
		commands->cnt++;
		if (!commands->ran_cnt)
			commands->last = event->pid;
	} else if (commands->pending && event->pid == commands->pending) {
		if (commands->list.len < LIST_SHOWN && commands->name.len)
			kp_buf_printf(&commands->list, "%s%s", commands->list.len ? ", " : "",
				      commands->name.data);
		commands->last = commands->pending;
		commands->pending = 0;
		commands->ran_cnt++;
	}
}

/* Which of several it is, and of which nothing ran. What is in a gap may have run. */
static void note_commands(struct commands *commands, const char *path, uint64_t gap_cnt,
			  char *ret_note, size_t cap)
{
	int len = 0;

	if (commands->pending && gap_cnt)
		commands->last = commands->pending;
	else if (commands->pending && commands->ran_cnt)
		len = snprintf(ret_note, cap, "the last command of '%s', %s, ran no program%s",
			       path, commands->name.len ? commands->name.data : "",
			       commands->ran_cnt > 1 ? "; " : "; this is the one before it");
	if (commands->ran_cnt > 1 && len >= 0 && (size_t)len < cap)
		snprintf(ret_note + len, cap - len,
			 "'%s' holds %u recorded commands; this is the last one, %u; --pid names "
			 "another: %s",
			 path, commands->ran_cnt, commands->last,
			 commands->list.failed ? "" : commands->list.data);
}

/* The pid of the command that was recorded last; ret_note, of cap bytes, names the others. */
static int find_command(const char *path, uint32_t *ret_pid, char *ret_note, size_t cap,
			struct kp_err *err)
{
	struct kp_log_filter filter = {.kinds = KP_KINDS(KP_EV_command, KP_EV_exec_image),
				       .streams = KP_LOG_OWN};
	struct commands commands = {.cnt = 0};
	struct kp_log_reader *reader;
	const struct kp_hdr *event;
	int rc;

	rc = kp_log_open(path, &filter, &reader, err);
	if (rc < 0)
		return rc;
	while ((rc = kp_log_next(reader, &event, err)) == 1)
		add_command(&commands, event);
	if (rc == 0)
		note_commands(&commands, path, kp_log_get_info(reader)->gap_cnt, ret_note, cap);
	if (rc == 0 && !commands.cnt)
		rc = kp_log_get_info(reader)->gap_cnt
			     ? kp_err_set(err, -EBADMSG,
					  "'%s' is damaged, and what is readable of it holds no "
					  "recorded command",
					  path)
			     : kp_err_set(err, -ENOENT,
					  "'%s' holds no recorded command; name a process with "
					  "--pid",
					  path);
	*ret_pid = commands.last;
	kp_log_reader_free(reader);
	kp_buf_done(&commands.name);
	kp_buf_done(&commands.list);
	return rc < 0 ? rc : 0;
}

/* Whether the process may have events in this gap. */
static bool gap_matters(const struct kp_session *session, const struct kp_log_gap *gap)
{
	uint64_t begin_ns = session->images.cnt ? session->images.at[0].time_ns : 0;

	/* The gap's times are those of its neighbours in one segment; streams interleave, so a
	 * block written later may hold earlier events: only a clear margin counts as outside. */
	const uint64_t margin_ns = 5000000000ULL;

	if (gap->to_ns && gap->to_ns + (gap->no_end ? 0 : margin_ns) <= begin_ns)
		return false;
	return !(session->exit && gap->from_ns &&
		 gap->from_ns > session->exit->hdr.time_ns + margin_ns);
}

static void check_log(struct kp_session *session, const struct kp_log_info *info)
{
	static const int groups[] = {KP_GROUP_syscall, KP_GROUP_payload, KP_GROUP_signal};
	uint64_t lost = 0;

	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		lost += info->lost_selected[groups[i]];
	if (lost > session->lost)
		session->lost = lost;
	for (size_t i = 0; i < info->gap_cnt; i++) {
		struct kp_buf text = {0};

		if (!gap_matters(session, &info->gaps[i]))
			continue;
		kp_log_print_gap(&info->gaps[i], &text);
		kp_session_refuse(session, "the log has a gap: %s",
				  text.failed ? info->gaps[i].why : text.data);
		kp_buf_done(&text);
	}
}

/* Bytes that are masked say so themselves; that there could have been some is said too. */
static void note_masks(struct kp_session *session, const struct kp_log_info *info)
{
	for (size_t i = 0; i < info->run_cnt; i++)
		session->is_masked |= info->runs[i].is_masked;
}

static int read_all(struct kp_log_reader *reader, struct kp_session *session, struct kp_err *err)
{
	const struct kp_hdr *event;
	int rc;

	while ((rc = kp_log_next(reader, &event, err)) == 1) {
		rc = kp_session_add(session, event, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* The process that a call made: its own number need not be the one that the call gave. */
static struct kp_child made_by(const struct kp_session *session, const struct kp_ev_syscall *call)
{
	uint32_t lo = 0, hi = session->made.cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (session->made.at[mid].time_ns < call->entry_ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (hi = lo; hi < session->made.cnt && hi < lo + MADE_MAX; hi++) {
		const struct kp_child *child = &session->made.at[hi];

		if (child->time_ns <= call->hdr.time_ns && child->seen_pid == (uint32_t)call->ret)
			return *child;
	}
	return (struct kp_child){.pid = (uint32_t)call->ret, .time_ns = call->entry_ns};
}

/* A place for the stream of each child that borrows the process's memory. */
static int add_children(struct kp_session *session)
{
	for (uint32_t i = 0; i < session->steps.cnt; i++) {
		struct kp_session *child;
		struct kp_child made;

		if (!kp_session_is_vfork(session, &session->steps.at[i]))
			continue;
		made = made_by(session, session->steps.at[i].call);
		child = kp_session_add_child(session, made.pid);
		if (!child)
			return kp_session_is_full(session) ? 0 : -ENOMEM;
		child->maker = session->steps.at[i].call;
		child->born_ns = made.time_ns;
	}
	return 0;
}

/* Gives each child the events of its pid while it lived. */
static int read_children(struct kp_log_reader *reader, struct kp_session *session,
			 struct kp_err *err)
{
	const struct kp_hdr *event;
	int rc = 0;

	while (rc >= 0 && (rc = kp_log_next(reader, &event, err)) == 1) {
		struct kp_session *child = kp_session_child(session, event->pid, event->time_ns);

		if (child)
			rc = kp_session_add(child, event, err);
	}
	return rc;
}

/* Reads the log once more for the children. */
static int load_children(const char *path, struct kp_session *session, struct kp_err *err)
{
	struct kp_log_filter filter = {.kinds = KP_KINDS(KP_EV_syscall, KP_EV_payload,
							 KP_EV_signal_deliver, KP_EV_file_map,
							 KP_EV_file_state, KP_EV_task_exit),
				       .streams = REPLAY_STREAMS};
	struct kp_log_reader *reader;
	int rc = add_children(session);

	if (rc < 0 || !session->children.cnt)
		return rc < 0 ? kp_err_set(err, rc, "out of memory while reading the log") : 0;
	rc = kp_log_open(path, &filter, &reader, err);
	if (rc < 0)
		return rc;
	rc = read_children(reader, session, err);
	kp_log_reader_free(reader);
	for (uint32_t i = 0; i < session->children.cnt; i++)
		kp_session_finish_child(session->children.at[i]);
	return rc;
}

/* Each archived content is an open file here, and a soft limit of 1024 is common. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int read_files(const char *path, const struct kp_session_options *options,
		      struct kp_session *session, struct kp_err *err)
{
	int fd = kp_objects_open(path);

	if (fd < 0 && fd != -ENOENT && fd != -ELOOP && fd != -ENOTDIR)
		return kp_err_sys(err, fd, "cannot open the folder '%s' of '%s'", KP_OBJECT_FOLDER,
				  path);
	session->objects_fd = fd < 0 ? -1 : fd;
	return kp_session_read_files(session, options->held_max, err);
}

int kp_session_load(const char *path, const struct kp_session_options *options,
		    struct kp_session *session, struct kp_err *err)
{
	uint32_t pid = options->pid;
	struct kp_log_filter filter = {.kinds = REPLAY_KINDS, .streams = REPLAY_STREAMS};
	char note[sizeof session->note] = "";
	struct kp_log_reader *reader;
	bool is_damaged;
	int rc = 0;

	if (!pid)
		rc = find_command(path, &pid, note, sizeof note, err);
	if (rc < 0)
		return rc;
	kp_session_init(session, pid);
	raise_file_limit();
	memcpy(session->note, note, sizeof note);
	rc = kp_log_open(path, &filter, &reader, err);
	if (rc < 0)
		return rc;
	note_masks(session, kp_log_get_info(reader));
	session->log_len = kp_log_get_info(reader)->disk_len;
	session->held_max = options->held_max ? options->held_max
					      : kp_limit_get(KP_LIMIT_HELD, session->log_len);
	rc = read_all(reader, session, err);
	if (rc == 0)
		check_log(session, kp_log_get_info(reader));
	is_damaged = kp_log_get_info(reader)->gap_cnt;
	kp_log_reader_free(reader);
	if (rc == 0 && !session->steps.cnt && !session->images.cnt && !session->exit)
		rc = is_damaged ? kp_err_set(err, -EBADMSG,
					     "'%s' is damaged, and what is readable of it holds no "
					     "process %u",
					     path, pid)
				: kp_err_set(err, -ENOENT, "'%s' holds no process %u", path, pid);
	if (rc == 0)
		kp_session_finish(session);
	if (rc == 0)
		rc = load_children(path, session, err);
	return rc < 0 ? rc : read_files(path, options, session, err);
}
