/* SPDX-License-Identifier: MIT
 * The formats in which a report is printed, by the table in formats.def.
 */
#ifndef KP_ANALYZE_FORMAT_H
#define KP_ANALYZE_FORMAT_H

#include "analyze/report.h"

struct kp_format {
	const char *name;
	void (*print)(const struct kp_report *report, bool color, struct kp_buf *out);
	bool is_json; /* the list of incidents is JSON too, an object a line */
};

/* The first is the default; ended by name NULL. */
extern const struct kp_format kp_formats[];

/* The format of this name, or NULL. */
const struct kp_format *kp_format_find(const char *name);

#endif
