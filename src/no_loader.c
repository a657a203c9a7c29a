/* SPDX-License-Identifier: MIT
 *
 * A static executable that works in an empty root loads no code at run time. SQLite (for
 * extensions) and libuv (for the name of a user, by NSS) could ask for it through two functions of
 * the C library; no feature of theirs that does is used here. The linker's --wrap sends both to
 * these, which refuse.
 */
#include <errno.h>
#include <pwd.h>
#include <stddef.h>

void *__wrap_dlopen(const char *path, int flags);
int __wrap_getpwuid_r(uid_t uid, struct passwd *entry, char *text, size_t text_len,
		      struct passwd **ret_entry);

void *__wrap_dlopen(const char *path, int flags)
{
	(void)path;
	(void)flags;
	return NULL;
}

int __wrap_getpwuid_r(uid_t uid, struct passwd *entry, char *text, size_t text_len,
		      struct passwd **ret_entry)
{
	(void)uid;
	(void)entry;
	(void)text;
	(void)text_len;
	*ret_entry = NULL;
	return ENOENT;
}
