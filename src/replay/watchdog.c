/* SPDX-License-Identifier: MIT
 *
 * A thread that looks at the process some times a second; see watchdog.h.
 *
 * Memory cannot be left to RLIMIT_AS: sanitizers reserve terabytes. So what the process holds is
 * read, and next when it could have reached the limit if it did nothing but fill memory.
 */
#include "replay/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS 200000000ULL
#define PERIOD_MIN_NS 2000000ULL
/* Nobody fills memory faster, in bytes per nanosecond. */
#define FILL_MAX 8
#define NS_PER_S 1000000000ULL
/* A process that neither runs nor stops for so long is lost to a bug of ours or the kernel's. */
#define WALL_MAX_NS 120000000000ULL

struct kp_watchdog {
	pthread_t thread;
	struct kp_watch_limits limits;
	int pid_fd;
	int status_fd; /* /proc/PID/status */
	int fd_max;    /* descriptors of the replayer are below this */
	clockid_t cpu_clock;
	uint64_t own_base_ns; /* CPU time of the replayer when it began */
	sem_t quit;
	atomic_int fired;         /* enum kp_watch_end */
	atomic_uint_fast64_t run; /* number of the current run; odd while armed */
	atomic_uint_fast64_t budget_ns;
};

/* How the current run began. */
struct base {
	uint64_t run, cpu_ns, wall_ns;
};

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		return 0;
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* --- memory --- */

/* The number of kilobytes behind a name in /proc/PID/status, in bytes; 0 without it. */
static uint64_t read_row(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

static uint64_t process_memory(const struct kp_watchdog *dog)
{
	static const char *const rows[] = {"\nVmRSS:", "\nVmPTE:", "\nVmSwap:"};
	char status[4096];
	ssize_t n = pread(dog->status_fd, status, sizeof status - 1, 0);
	uint64_t sum = 0;

	if (n <= 0)
		return 0; /* it has ended */
	status[n] = '\0';
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		sum += read_row(status, rows[i]);
	return sum;
}

/* Memory files are the process's too: it maps them, fills their holes and lets go of them. */
static uint64_t file_memory(const struct kp_watchdog *dog)
{
	struct statfs fs;
	struct stat st;
	uint64_t sum = 0;

	/* They are dense, however many there may be. */
	for (int fd = 0, free = 0; fd < dog->fd_max && free < 256; fd++) {
		if (fstat(fd, &st) < 0) {
			free++;
			continue;
		}
		free = 0;
		if (S_ISREG(st.st_mode) && !st.st_nlink && st.st_blocks && !fstatfs(fd, &fs) &&
		    fs.f_type == TMPFS_MAGIC)
			sum += (uint64_t)st.st_blocks * 512;
	}
	return sum;
}

/* --- looking --- */

/* Waits until the next look; true: it is to end instead. */
static bool is_over(struct kp_watchdog *dog, uint64_t period_ns)
{
	uint64_t at = read_clock(CLOCK_MONOTONIC) + period_ns;
	struct timespec until = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};

	return sem_clockwait(&dog->quit, CLOCK_MONOTONIC, &until) == 0;
}

/* How long until memory is to be looked at again; 0: it is too much. */
static uint64_t check_memory(const struct kp_watchdog *dog)
{
	uint64_t memory, left_ns;

	if (!dog->limits.memory)
		return PERIOD_NS;
	memory = process_memory(dog) + file_memory(dog);
	if (memory > dog->limits.memory)
		return 0;
	left_ns = (dog->limits.memory - memory) / FILL_MAX;
	return left_ns > PERIOD_NS ? PERIOD_NS : left_ns < PERIOD_MIN_NS ? PERIOD_MIN_NS : left_ns;
}

/* Whether the current run goes on for too long. */
static bool is_stuck(const struct kp_watchdog *dog, uint64_t run, uint64_t cpu_ns,
		     struct base *base)
{
	uint64_t wall_ns = read_clock(CLOCK_MONOTONIC);
	uint64_t budget_ns = atomic_load(&dog->budget_ns);

	if (!(run & 1) || run != base->run || run != atomic_load(&dog->run)) {
		*base = (struct base){run, cpu_ns, wall_ns};
		return false;
	}
	return cpu_ns - base->cpu_ns > budget_ns ||
	       wall_ns - base->wall_ns > WALL_MAX_NS + budget_ns * 4;
}

static bool is_out_of_time(const struct kp_watchdog *dog, uint64_t cpu_ns)
{
	uint64_t own_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID) - dog->own_base_ns;

	return dog->limits.cpu_ns && cpu_ns + own_ns > dog->limits.cpu_ns;
}

static void *watch(void *arg)
{
	struct kp_watchdog *dog = arg;
	uint64_t period_ns = check_memory(dog), run, cpu_ns;
	enum kp_watch_end end = KP_WATCH_RUNS;
	struct base base = {0};

	while (end == KP_WATCH_RUNS) {
		run = atomic_load(&dog->run);
		if (is_over(dog, period_ns))
			return NULL;
		cpu_ns = read_clock(dog->cpu_clock);
		period_ns = check_memory(dog);
		if (!period_ns)
			end = KP_WATCH_MEMORY;
		else if (is_out_of_time(dog, cpu_ns))
			end = KP_WATCH_TIME;
		else if (is_stuck(dog, run, cpu_ns, &base))
			end = KP_WATCH_STUCK;
	}
	atomic_store(&dog->fired, end);
	syscall(SYS_pidfd_send_signal, dog->pid_fd, SIGKILL, NULL, 0);
	return NULL;
}

static int open_process(struct kp_watchdog *dog, pid_t pid)
{
	struct rlimit files = {1024, 0};
	char path[64];

	getrlimit(RLIMIT_NOFILE, &files);
	dog->fd_max = files.rlim_cur < 65536 ? (int)files.rlim_cur : 65536;
	dog->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	dog->status_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (dog->pid_fd < 0 || dog->status_fd < 0)
		return -errno;
	return -clock_getcpuclockid(pid, &dog->cpu_clock);
}

static void free_dog(struct kp_watchdog *dog)
{
	if (dog->pid_fd >= 0)
		close(dog->pid_fd);
	if (dog->status_fd >= 0)
		close(dog->status_fd);
	free(dog);
}

int kp_watchdog_new(pid_t pid, const struct kp_watch_limits *limits,
		    struct kp_watchdog **ret_watchdog, struct kp_err *err)
{
	struct kp_watchdog *dog = calloc(1, sizeof(*dog));
	sigset_t all, old;
	int rc;

	if (!dog)
		return kp_err_set(err, -ENOMEM, "out of memory");
	dog->limits = *limits;
	dog->own_base_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	sem_init(&dog->quit, 0, 0);
	rc = open_process(dog, pid);
	if (!rc) {
		/* Signals belong to the program's own threads. */
		sigfillset(&all);
		pthread_sigmask(SIG_BLOCK, &all, &old);
		rc = -pthread_create(&dog->thread, NULL, watch, dog);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	if (rc) {
		free_dog(dog);
		return kp_err_sys(err, rc, "cannot watch process %d", pid);
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
	free_dog(dog);
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

enum kp_watch_end kp_watchdog_fired(const struct kp_watchdog *dog)
{
	return dog ? (enum kp_watch_end)atomic_load(&dog->fired) : KP_WATCH_RUNS;
}
