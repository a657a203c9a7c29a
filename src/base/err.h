/* SPDX-License-Identifier: MIT
 *
 * An error as a sentence: what failed, where, and what to do. Functions return a negative errno and
 * fill a struct kp_err that the caller owns; only src/cli prints it.
 */
#ifndef KP_BASE_ERR_H
#define KP_BASE_ERR_H

#include <stddef.h>

struct kp_err {
	char text[1024]; /* empty: no error */
};

/*
 * Sets err (may be NULL) to a formatted sentence and returns code, so that
 * `return kp_err_set(err, -EINVAL, "…")` reads as one step. code is a negative errno.
 */
int kp_err_set(struct kp_err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Like kp_err_set, with ": " and the text of errno -code behind the sentence; where that is a limit
 * of the process or the system, also which, and how it is raised. */
int kp_err_sys(struct kp_err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts a formatted text and ": " before what err says; returns code. */
int kp_err_prefix(struct kp_err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
