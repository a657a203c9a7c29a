/* SPDX-License-Identifier: MIT
 * Errors as sentences.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"

Test(err, says_and_returns)
{
	struct kp_err err = {""};

	cr_assert_eq(kp_err_set(&err, -EINVAL, "%s is %d", "x", 3), -EINVAL);
	cr_assert_str_eq(err.text, "x is 3");
	cr_assert_eq(kp_err_sys(&err, -ENOENT, "cannot open %s", "y"), -ENOENT);
	cr_assert_str_eq(err.text, "cannot open y: No such file or directory");
	cr_assert_eq(kp_err_prefix(&err, -ENOENT, "boot %d", 1), -ENOENT);
	cr_assert_str_eq(err.text, "boot 1: cannot open y: No such file or directory");
}

Test(err, a_limit_is_named)
{
	struct rlimit limit = {77, 77};
	struct kp_err err = {""};

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(kp_err_sys(&err, -EMFILE, "cannot open %s", "y"), -EMFILE);
	cr_assert_neq(strstr(err.text, "Too many open files"), NULL);
	cr_assert_neq(strstr(err.text, "77"), NULL);
	cr_assert_neq(strstr(err.text, "ulimit -n"), NULL);
}

Test(err, null_is_fine)
{
	cr_assert_eq(kp_err_set(NULL, -1, "x"), -1);
	cr_assert_eq(kp_err_sys(NULL, -2, "x"), -2);
	cr_assert_eq(kp_err_prefix(NULL, -3, "x"), -3);
}

Test(err, long_texts_are_cut)
{
	char text[2000];
	struct kp_err err;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	kp_err_sys(&err, -EIO, "%s", text);
	cr_assert_eq(strlen(err.text), sizeof(err.text) - 1);
	kp_err_prefix(&err, -EIO, "%s", text);
	cr_assert_eq(strlen(err.text), sizeof(err.text) - 1);
}
