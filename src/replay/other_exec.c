/* SPDX-License-Identifier: MIT
 *
 * Where another build puts a new program in its place: the comparison ends there. What the recorded
 * one gave its exec stands on the new program's first stack; in the place of a script the kernel
 * puts its interpreter, and the script's name for the first argument.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "replay/engine.h"
#include "replay/exe.h"
#include "replay/startup.h"

#define LIST_MAX (1u << 16)
#define TEXT_MAX (128u << 10)
#define PAGE 4096u
#define PRINTED_MAX 8 /* arguments */

/* A text of the process; "" where it cannot be read. */
static char *own_text(struct kp_engine *engine, struct kp_arena *arena, uint64_t addr)
{
	struct kp_buf text = {0};
	char piece[PAGE], *copy;
	size_t n, len;

	do { /* not over the end of a page, behind which there may be none */
		n = kp_tracee_read(&engine->tracee, addr, piece, PAGE - addr % PAGE);
		len = strnlen(piece, n);
		kp_buf_append(&text, piece, len);
		addr += n;
	} while (n && len == n && text.len < TEXT_MAX);
	copy = kp_arena_alloc(arena, text.len + 1);
	if (copy && text.len)
		memcpy(copy, text.data, text.len);
	kp_buf_done(&text);
	return copy;
}

/* A list of texts, ended by NULL; none at a null address, as the kernel takes it. */
static char **own_list(struct kp_engine *engine, struct kp_arena *arena, uint64_t addr)
{
	uint64_t word = 0;
	size_t cnt = 0;
	char **list;

	while (addr && cnt < LIST_MAX &&
	       kp_tracee_read(&engine->tracee, addr + cnt * 8, &word, 8) == 8 && word)
		cnt++;
	list = kp_arena_alloc(arena, (cnt + 1) * sizeof(*list));
	for (size_t i = 0; list && i < cnt; i++) {
		kp_tracee_read(&engine->tracee, addr + i * 8, &word, 8);
		list[i] = own_text(engine, arena, word);
		if (!list[i])
			return NULL;
	}
	return list;
}

static size_t count(char *const *list)
{
	size_t cnt = 0;

	while (list[cnt])
		cnt++;
	return cnt;
}

/* Index of the first text that differs, or the length of both. */
static size_t differs_at(char *const *one, char *const *other)
{
	size_t i = 0;

	while (one[i] && other[i] && !strcmp(one[i], other[i]))
		i++;
	return i;
}

static int differ(struct kp_engine *engine, const struct kp_step *step, const char *what,
		  const char *got, const char *want)
{
	return kp_engine_diverge(engine, step, "%s: %s differs: '%.100s', recorded was '%.100s'",
				 kp_syscall_name(step->call->nr), what, got ? got : "",
				 want ? want : "");
}

static int compare_list(struct kp_engine *engine, const struct kp_step *step, const char *name,
			char *const *own, char *const *then)
{
	size_t at = differs_at(own, then);
	char what[48];

	if (!own[at] && !then[at])
		return 0;
	snprintf(what, sizeof what, "%s[%zu]", name, at);
	return differ(engine, step, what, own[at], then[at]);
}

/* As the kernel names a program that is found by a descriptor (exec.c, alloc_bprm). */
static const char *full_path(const struct kp_engine *engine, struct kp_arena *arena,
			     const char *path)
{
	const struct user_regs_struct *regs = &engine->tracee.regs;
	size_t len = strlen(path) + 32;
	char *full;

	if (regs->orig_rax != KP_NR_execveat || *path == '/' || (int)regs->rdi == AT_FDCWD)
		return path;
	full = kp_arena_alloc(arena, len);
	if (full)
		snprintf(full, len, "/dev/fd/%d%s%s", (int)regs->rdi, *path ? "/" : "", path);
	return full;
}

/*
 * What follows the script's name among the arguments, if the image is that of an interpreter: the
 * program that was named is not mapped, and the arguments are interpreter, option, script, rest.
 */
static char **behind_script(const struct kp_image *image, const struct kp_startup *then,
			    size_t rest)
{
	size_t cnt = count(then->argv);

	for (uint32_t i = 0; i < image->maps.cnt; i++)
		if (!strcmp(basename(image->maps.at[i].path), basename(then->path)))
			return NULL;
	if (cnt < rest + 2 || strcmp(then->argv[cnt - rest - 1], then->path) != 0)
		return NULL;
	return then->argv + cnt - rest;
}

static int compare_arguments(struct kp_engine *engine, const struct kp_step *step,
			     const struct kp_startup *then, char **own)
{
	static char nothing[] = "";
	static char *empty[] = {nothing, NULL}; /* a kernel's, for none, since 5.18 */
	size_t rest = own[0] ? count(own) - 1 : 0;
	char **script = behind_script(&engine->session->images.at[step->image], then, rest);

	if (script && own[0])
		return compare_list(engine, step, "argv", own + 1, script);
	return compare_list(engine, step, "argv", own[0] || !then->argv[0] ? own : empty,
			    then->argv);
}

static int compare(struct kp_engine *engine, const struct kp_step *step, struct kp_startup *then,
		   struct kp_arena *arena)
{
	const struct user_regs_struct *regs = &engine->tracee.regs;
	bool at = regs->orig_rax == KP_NR_execveat;
	const char *path = own_text(engine, arena, at ? regs->rsi : regs->rdi);
	char **argv = own_list(engine, arena, at ? regs->rdx : regs->rsi);
	char **envp = own_list(engine, arena, at ? regs->r10 : regs->rdx);
	char names[8];
	int rc;

	path = path ? full_path(engine, arena, path) : NULL;
	if (!path || !argv || !envp)
		return kp_err_set(engine->err, -ENOMEM, "out of memory");
	if (!then->path)
		return kp_engine_refuse(engine,
					"call %u: the name of the program that it executes "
					"is not in the log",
					step->call->seq);
	if (strcmp(path, then->path) != 0)
		return differ(engine, step, "path", path, then->path);
	rc = compare_arguments(engine, step, then, argv);
	if (rc)
		return rc;
	if (engine->withheld[0])
		kp_exe_clean_environment(then, names, sizeof names);
	return compare_list(engine, step, "envp", envp, then->envp);
}

int kp_engine_other_exec(struct kp_engine *engine, const struct kp_step *step)
{
	struct kp_arena arena = {0};
	struct kp_startup then;
	int rc = kp_startup_read(&engine->session->images.at[step->image], &then, engine->err);

	if (rc == 0)
		rc = compare(engine, step, &then, &arena);
	if (rc == 0) {
		engine->result->calls++;
		kp_engine_uncovered(engine, "what '%.150s' did, which takes its place", then.path);
		rc = kp_engine_note(engine,
				    "it executes '%.200s' as recorded, which ends the "
				    "comparison with another build",
				    then.path);
	}
	kp_startup_done(&then);
	kp_arena_done(&arena);
	return rc;
}

void kp_engine_print_exec(const struct kp_engine *engine, const struct kp_step *step,
			  struct kp_buf *out)
{
	struct kp_startup then = {0};
	struct kp_err err;
	bool known = step->image < engine->session->images.cnt &&
		     kp_startup_read(&engine->session->images.at[step->image], &then, &err) == 0;

	kp_buf_printf(out, "%s(path ", kp_syscall_name(step->call->nr));
	kp_text_quote(out, then.path ? then.path : "?", strlen(then.path ? then.path : "?"));
	kp_buf_puts(out, ", argv [");
	for (size_t i = 0; known && then.argv[i]; i++) {
		if (i == PRINTED_MAX) {
			kp_buf_puts(out, ", ...");
			break;
		}
		kp_buf_puts(out, i ? ", " : "");
		kp_text_quote(out, then.argv[i], strlen(then.argv[i]));
	}
	kp_buf_puts(out, "]) = 0");
	kp_startup_done(&then);
}
