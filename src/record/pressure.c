/* SPDX-License-Identifier: MIT
 * /proc/pressure; see pressure.h and Documentation/accounting/psi.rst of the kernel.
 */
#include "record/pressure.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 256
#define NS_PER_US 1000

static const char *const paths[KP_PRESSURE_CNT] = {
#define X(name, number) [number] = "/proc/pressure/" #name,
	KP_PRESSURES(X)
#undef X
};

/* The total of the line that begins with the word; 0: there is none. */
static uint64_t total_of(const char *text, const char *word)
{
	const char *line = strstr(text, word), *total = line ? strstr(line, "total=") : NULL;
	uint64_t us = 0;

	return total && sscanf(total, "total=%" SCNu64, &us) == 1 ? us * NS_PER_US : 0;
}

bool kp_pressure_parse(const char *text, struct kp_ev_pressure *ret)
{
	if (strncmp(text, "some ", 5) != 0 || !strstr(text, "total="))
		return false;
	ret->some_ns = total_of(text, "some ");
	ret->full_ns = total_of(text, "full ");
	return true;
}

void kp_pressure_open(struct kp_pressure *pressure, const struct kp_sink *sink)
{
	*pressure = (struct kp_pressure){.sink = sink};
	for (int i = 0; i < KP_PRESSURE_CNT; i++)
		pressure->fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
}

static void read_one(struct kp_pressure *pressure, int i)
{
	struct kp_ev_pressure *told = &pressure->told[i], ev = {.resource = (uint32_t)i};
	char text[TEXT_MAX];
	ssize_t len = pread(pressure->fds[i], text, sizeof(text) - 1, 0);

	if (len <= 0)
		return;
	text[len] = '\0';
	if (!kp_pressure_parse(text, &ev) ||
	    (ev.some_ns == told->some_ns && ev.full_ns == told->full_ns))
		return;
	*told = ev;
	kp_sink_put_fixed(pressure->sink, KP_EV_pressure, &ev, sizeof(ev));
}

void kp_pressure_read(struct kp_pressure *pressure)
{
	for (int i = 0; i < KP_PRESSURE_CNT; i++)
		if (pressure->fds[i] >= 0)
			read_one(pressure, i);
}

void kp_pressure_done(struct kp_pressure *pressure)
{
	for (int i = 0; i < KP_PRESSURE_CNT; i++)
		if (pressure->fds[i] >= 0)
			close(pressure->fds[i]);
	memset(pressure->fds, -1, sizeof(pressure->fds));
}
