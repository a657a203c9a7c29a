/* SPDX-License-Identifier: MIT
 *
 * Opening what a log consists of. A folder that is written to must be the writer's own, since
 * whoever else can write there could take the log away, or lead the writer to another's files. A
 * folder that is read may be anybody's: only regular files of it are opened, and no link is
 * followed.
 */
#ifndef KP_LOG_FOLDER_H
#define KP_LOG_FOLDER_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Makes (0700) and opens a folder to write a log in; path is relative to at_fd. Refused, -EPERM: a
 * symbolic link, there or, where the kernel tells, on the way; a folder of another user (but for
 * root's, started through sudo(8) by that user); one that its group or others can write. Other
 * errors: -errno. name is for the error's text.
 */
int kp_folder_make(int at_fd, const char *path, const char *name, int *ret_fd, struct kp_err *err);

/* Opens a folder to read in, no link. The descriptor or -errno. */
int kp_folder_open(int at_fd, const char *path);

/*
 * Opens a regular file, no link; flags: O_RDONLY or O_RDWR. The descriptor; -ENXIO when it is
 * something else, which is then not opened; -errno.
 */
int kp_folder_open_file(int dir_fd, const char *name, int flags);

/* Whether an error is the machine's (a disk, memory, a limit), and says nothing of what stands
 * there.
 */
bool kp_folder_is_fault(int error);

#endif
