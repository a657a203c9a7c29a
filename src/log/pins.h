/* SPDX-License-Identifier: MIT
 *
 * Pins: segments that retention is to keep, since a saved incident needs them. A pin is a file
 * DIR/pins/NAME with the name of a segment, BOOT-ID/SEGMENT, in each line; who removes it lets them
 * go.
 */
#ifndef KP_LOG_PINS_H
#define KP_LOG_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KP_PIN_FOLDER "pins"
#define KP_PIN_NAME_MAX 256

struct kp_pin {
	char name[KP_PIN_NAME_MAX];
	uint64_t time_ns; /* when it was made, CLOCK_REALTIME */
	char *text;       /* its lines */
};

/* The pins of the log's folder, newest first; there may be none. 0 or -errno. */
int kp_pins_read(int log_fd, struct kp_pin **ret_pins, size_t *ret_cnt);
void kp_pins_free(struct kp_pin *pins, size_t cnt);

/* The next line of *text that names a segment: its boot (not ended by a NUL) and number; false:
 * there is none. */
bool kp_pin_next(const char **text, const char **ret_boot, size_t *ret_boot_len,
		 uint64_t *ret_segment);

/*
 * Makes a pin, or replaces it, for cnt segments of a boot. name: any text, of which the file's name
 * is made. Only in a folder that a recorder would write to (kp_folder_make); log: its path, for
 * errors. 0 or -errno.
 */
int kp_pin_write(int log_fd, const char *log, const char *name, const char *boot,
		 const uint64_t *segments, size_t cnt, struct kp_err *err);

/*
 * Makes a pin for the time from_ns to to_ns, CLOCK_MONOTONIC, of the log that path is (as for
 * kp_log_open): for the segments that can have events of it, and the one before, which has the
 * names of what there was. Nothing, and 0, where path is a segment, or the log's folder is not the
 * user's own or cannot be written to.
 */
int kp_pin_time(const char *path, const char *name, uint64_t from_ns, uint64_t to_ns,
		struct kp_err *err);

/* Removes a pin. */
void kp_pin_remove(int log_fd, const char *name);

#endif
