/* SPDX-License-Identifier: MIT
 * The image of a process at the end of exec: everything from which replay rebuilds it.
 */
#ifndef KP_RECORD_IMAGE_H
#define KP_RECORD_IMAGE_H

#include <sys/types.h>

#include "base/err.h"
#include "record/archive.h"
#include "record/sink.h"

/*
 * pid stands at its PTRACE_EVENT_EXEC stop and the caller is its tracer. Hides the vDSO from it
 * (AT_SYSINFO_EHDR becomes AT_IGNORE, so that the C library reads clocks by system calls, which the
 * log holds) and writes exec_image, exec_map, memory and the files behind. 0; 1: of a file the
 * content cannot be had; a negative errno.
 */
int kp_image_write(const struct kp_sink *sink, struct kp_archive *archive, pid_t pid,
		   uint32_t image, struct kp_err *err);

#endif
