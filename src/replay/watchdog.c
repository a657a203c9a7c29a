/* SPDX-License-Identifier: MIT
 * A thread that looks five times a second whether the process still makes progress; see watchdog.h.
 */
#include "replay/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define PERIOD_NS 200000000ULL
#define NS_PER_S 1000000000ULL
/* A process that neither runs nor stops for so long is lost to a bug of ours or the kernel's. */
#define WALL_MAX_NS 120000000000ULL

struct kp_watchdog {
	pthread_t thread;
	pid_t pid;
	clockid_t cpu_clock;
	sem_t quit;
	atomic_bool fired;
	atomic_uint_fast64_t run; /* number of the current run; odd while armed */
	atomic_uint_fast64_t budget_ns;
};

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		return 0;
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Waits until the next look; true: it is to end instead. */
static bool is_over(struct kp_watchdog *dog)
{
	uint64_t at = read_clock(CLOCK_MONOTONIC) + PERIOD_NS;
	struct timespec until = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};

	return sem_clockwait(&dog->quit, CLOCK_MONOTONIC, &until) == 0;
}

static void *watch(void *arg)
{
	struct kp_watchdog *dog = arg;
	uint64_t last = 0, cpu_base = 0, wall_base = 0;

	for (;;) {
		uint64_t run = atomic_load(&dog->run), cpu, wall;

		if (is_over(dog))
			return NULL;
		cpu = read_clock(dog->cpu_clock);
		wall = read_clock(CLOCK_MONOTONIC);
		if (!(run & 1) || run != last || run != atomic_load(&dog->run)) {
			last = run;
			cpu_base = cpu;
			wall_base = wall;
			continue;
		}
		if (cpu - cpu_base > atomic_load(&dog->budget_ns) ||
		    wall - wall_base > WALL_MAX_NS + atomic_load(&dog->budget_ns) * 4) {
			atomic_store(&dog->fired, true);
			kill(dog->pid, SIGKILL);
			return NULL;
		}
	}
}

int kp_watchdog_new(pid_t pid, struct kp_watchdog **ret_watchdog, struct kp_err *err)
{
	struct kp_watchdog *dog = calloc(1, sizeof(*dog));
	sigset_t all, old;
	int rc;

	if (!dog)
		return kp_err_set(err, -ENOMEM, "out of memory");
	dog->pid = pid;
	sem_init(&dog->quit, 0, 0);
	rc = clock_getcpuclockid(pid, &dog->cpu_clock);
	if (!rc) {
		/* Signals belong to the program's own threads. */
		sigfillset(&all);
		pthread_sigmask(SIG_BLOCK, &all, &old);
		rc = pthread_create(&dog->thread, NULL, watch, dog);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	if (rc) {
		free(dog);
		return kp_err_sys(err, -rc, "cannot watch process %d", pid);
	}
	*ret_watchdog = dog;
	return 0;
}

void kp_watchdog_free(struct kp_watchdog *dog)
{
	if (!dog)
		return;
	sem_post(&dog->quit);
	pthread_join(dog->thread, NULL);
	free(dog);
}

void kp_watchdog_arm(struct kp_watchdog *dog, uint64_t budget_ns)
{
	atomic_store(&dog->budget_ns, budget_ns);
	atomic_fetch_add(&dog->run, 1);
}

void kp_watchdog_disarm(struct kp_watchdog *dog)
{
	atomic_fetch_add(&dog->run, 1);
}

bool kp_watchdog_fired(const struct kp_watchdog *dog)
{
	return atomic_load(&dog->fired);
}
