/* SPDX-License-Identifier: MIT
 * Errors as sentences; see err.h.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

int kp_err_set(struct kp_err *err, int code, const char *format, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	return code;
}

/* Limits are nobody's fault but their setter's: which one, and how it is raised. */
static void put_remedy(char *text, size_t cap, int error)
{
	struct rlimit limit = {0, 0};

	getrlimit(RLIMIT_NOFILE, &limit);
	*text = '\0';
	if (error == EMFILE)
		snprintf(text, cap,
			 "; this process may have %llu open files: raise that limit "
			 "(ulimit -n, or LimitNOFILE= of a service)",
			 (unsigned long long)limit.rlim_cur);
	else if (error == ENFILE)
		snprintf(text, cap, "; the system's limit is in /proc/sys/fs/file-max");
}

int kp_err_sys(struct kp_err *err, int code, const char *format, ...)
{
	char remedy[160];
	va_list ap;
	size_t len;

	if (!err)
		return code;
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	put_remedy(remedy, sizeof(remedy), -code);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s%s", strerror(-code), remedy);
	return code;
}

int kp_err_prefix(struct kp_err *err, int code, const char *format, ...)
{
	char old[sizeof(err->text)];
	va_list ap;
	size_t len;

	if (!err)
		return code;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, format);
	vsnprintf(err->text, sizeof(err->text), format, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", old);
	return code;
}
