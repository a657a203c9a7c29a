/* SPDX-License-Identifier: MIT
 *
 * Where the database is, and whether it may be used: the file is opened here first, without
 * following a link and without changing anything, and, unless it is the reader's own, its schema
 * compared with ours as an immutable file (no stranger's journal is rolled back: it may name files
 * to be removed); only then SQLite opens it for real, and what an earlier version made is brought
 * to the present edition. The static library of the distribution has extension loading compiled in;
 * it is never switched on.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyze/edition.h"
#include "analyze/store_sql.h"

/* Steps of SQLite's machine that one operation may take: some tens of seconds. */
#define STEPS_PER_CALL 100000
#define CALLS_MAX 20000
#define HEAP_MAX (256 << 20)

struct limit {
	int id;
	int value;
};

static const struct limit limits[] = {
	{SQLITE_LIMIT_LENGTH, 16 << 20},   {SQLITE_LIMIT_SQL_LENGTH, 100000},
	{SQLITE_LIMIT_COLUMN, 100},        {SQLITE_LIMIT_EXPR_DEPTH, 100},
	{SQLITE_LIMIT_COMPOUND_SELECT, 3}, {SQLITE_LIMIT_VDBE_OP, 25000},
	{SQLITE_LIMIT_FUNCTION_ARG, 8},    {SQLITE_LIMIT_ATTACHED, 0},
	{SQLITE_LIMIT_TRIGGER_DEPTH, 1},   {SQLITE_LIMIT_WORKER_THREADS, 0},
};

static const struct limit configs[] = {
	{SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
	{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
	{SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_DQS_DML, 0},
};

static int count_steps(void *arg)
{
	struct kp_store *s = arg;

	return ++s->calls > CALLS_MAX;
}

/* What a database may do at most, whoever made it. */
static void restrain(struct kp_store *s)
{
	sqlite3_hard_heap_limit64(HEAP_MAX);
	for (size_t i = 0; i < sizeof(configs) / sizeof(*configs); i++)
		sqlite3_db_config(s->db, configs[i].id, configs[i].value, NULL);
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		sqlite3_limit(s->db, limits[i].id, limits[i].value);
	sqlite3_progress_handler(s->db, STEPS_PER_CALL, count_steps, s);
	sqlite3_busy_timeout(s->db, 5000);
}

int kp_store_fail(struct kp_store *s, const char *what, struct kp_err *err)
{
	return kp_err_set(err, -EIO, "database %s: cannot %s: %s", s->path, what,
			  s->calls > CALLS_MAX ? "it takes too long" : sqlite3_errmsg(s->db));
}

/* --- its place --- */

/* Makes path and the folders above it, as far as they are missing. */
static int make_dirs(char *path)
{
	for (char *slash = path + 1;; slash++) {
		if (*slash && *slash != '/')
			continue;
		char end = *slash;

		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = end;
		if (!end)
			return 0;
	}
}

/* The folder of the reader's own database. */
static int own_dir(char *dir, size_t len, struct kp_err *err)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && *state == '/')
		snprintf(dir, len, "%s/kprobe", state);
	else if (geteuid() == 0)
		snprintf(dir, len, "/var/lib/kprobe");
	else if (home && *home == '/')
		snprintf(dir, len, "%s/.local/state/kprobe", home);
	else
		return kp_err_set(err, -ENOENT,
				  "there is no HOME for the database of incidents: name one with "
				  "--db FILE");
	return 0;
}

/* Nobody else may put a file there. */
static int check_own_dir(const char *dir, int fd, struct kp_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return kp_err_sys(err, -errno, "cannot look at %s", dir);
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return kp_err_set(
			err, -EPERM,
			"others can write to %s, where the database of incidents would be: "
			"make it your own (chown, chmod 700), or name one with --db FILE",
			dir);
	return 0;
}

static int open_own_dir(bool create, char *dir, size_t len, struct kp_err *err)
{
	int fd, code = own_dir(dir, len, err);

	if (code == 0 && create && (code = make_dirs(dir)) < 0)
		return kp_err_sys(err, code, "cannot make %s for the database of incidents", dir);
	if (code < 0)
		return code;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? kp_err_set(err, -ENOENT, "there is no database in %s", dir)
				       : kp_err_sys(err, -errno, "cannot open %s", dir);
	code = check_own_dir(dir, fd, err);
	if (code < 0) {
		close(fd);
		return code;
	}
	return fd;
}

/* Folder and name of a database that was named. */
static int open_named_dir(const char *path, char *dir, size_t len, char *name, struct kp_err *err)
{
	const char *slash = strrchr(path, '/');
	char above[PATH_MAX], real[PATH_MAX];
	int fd = -1;

	snprintf(name, NAME_MAX + 1, "%s", slash ? slash + 1 : path);
	snprintf(above, sizeof(above), "%.*s", slash ? (int)(slash - path + 1) : 1,
		 slash ? path : ".");
	if (!*name)
		return kp_err_set(err, -EISDIR, "the database %s is a folder", path);
	if (realpath(above, real)) {
		snprintf(dir, len, "%s", real);
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? kp_err_sys(err, -errno, "cannot open the folder of the database %s", path)
		      : fd;
}

/* Opens the file by its name in the folder; a link is not followed. */
static int open_file(struct kp_store *s, int dir_fd, const char *name, bool create,
		     struct kp_err *err)
{
	const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (create ? O_CREAT : 0);
	int fd = openat(dir_fd, name, O_RDWR | flags, 0600);

	if (fd < 0 && !create && (errno == EACCES || errno == EROFS)) {
		fd = openat(dir_fd, name, O_RDONLY | flags);
		s->read_only = true;
	}
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return kp_err_set(err, -ENOENT, "there is no database %s", s->path);
	if (errno == ELOOP)
		return kp_err_set(err, -ELOOP,
				  "the database %s is a symbolic link: name the file itself",
				  s->path);
	return kp_err_sys(err, -errno, "cannot open the database %s", s->path);
}

static int check_file(struct kp_store *s, int fd, bool own, struct kp_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return kp_err_sys(err, -errno, "cannot look at the database %s", s->path);
	if (!S_ISREG(st.st_mode))
		return kp_err_set(err, -EIO, "the database %s is not a file", s->path);
	if (own && (st.st_uid != geteuid() || st.st_nlink != 1))
		return kp_err_set(err, -EPERM,
				  "the database %s is not your own alone: move it away, or name "
				  "another with --db FILE",
				  s->path);
	if (own && st.st_mode & 077 && fchmod(fd, 0600) < 0)
		return kp_err_sys(err, -errno, "cannot take %s away from others", s->path);
	s->is_empty = st.st_size == 0;
	return 0;
}

/* --- its schema --- */

static int foreign(struct kp_store *s, struct kp_err *err)
{
	return kp_err_set(err, -EIO,
			  "%s is not a database of incidents as this version or one before made "
			  "them: nothing was changed; name another with --db FILE",
			  s->path);
}

static int newer(struct kp_store *s, unsigned mark, struct kp_err *err)
{
	return kp_err_set(
		err, -EIO,
		"%s is a database of incidents of a later version of kprobe (edition %u; "
		"this one knows them up to %u): nothing was changed; use that version, or "
		"name another with --db FILE",
		s->path, mark, KP_EDITION);
}

static uint32_t big_endian(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* By the marks that SQLite keeps for applications, and if no write-ahead log belongs to it: 0. */
static int check_marks(struct kp_store *s, int fd, struct kp_err *err)
{
	unsigned char h[100];

	if (pread(fd, h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
	    memcmp(h, "SQLite format 3", 16) != 0 || big_endian(h + 68) != KP_STORE_APP)
		return foreign(s, err);
	if (big_endian(h + 60) > KP_EDITION)
		return newer(s, big_endian(h + 60), err);
	return h[18] == 1 && h[19] == 1 ? 0 : foreign(s, err);
}

/* As an immutable file, so that SQLite leaves it and what lies beside it alone. */
static bool is_ours(struct kp_store *s)
{
	struct kp_buf uri = {0};
	bool ours;

	assert(s->path);
	kp_buf_puts(&uri, "file:");
	for (const char *p = s->path; *p; p++)
		if (strchr("%?#", *p))
			kp_buf_printf(&uri, "%%%02X", (unsigned char)*p);
		else
			kp_buf_putc(&uri, *p);
	kp_buf_puts(&uri, "?immutable=1");
	ours = !uri.failed &&
	       sqlite3_open_v2(uri.data, &s->db,
			       SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW,
			       NULL) == SQLITE_OK;
	if (ours) {
		restrain(s);
		ours = kp_edition_of(s->db) != 0;
	}
	sqlite3_close(s->db);
	s->db = NULL;
	kp_buf_done(&uri);
	return ours;
}

/* SQLite's lock of who reads (its file format, "POSIX advisory locks"). */
#define SHARED_FIRST (0x40000000 + 2)
#define SHARED_LEN 510
#define LOCK_TRIES 500
#define LOCK_PAUSE_US 10000

/* Keeps writers away until the descriptor is closed, as far as the file system knows such locks. */
static int lock_shared(struct kp_store *s, int fd, struct kp_err *err)
{
	struct flock lock = {.l_type = F_RDLCK, .l_start = SHARED_FIRST, .l_len = SHARED_LEN};

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES))
			return 0;
		usleep(LOCK_PAUSE_US);
	}
	return kp_err_set(err, -EIO, "another process keeps the database %s locked", s->path);
}

/* Of a database that may be a stranger's. */
static int check_schema(struct kp_store *s, int fd, struct kp_err *err)
{
	char journal[PATH_MAX + 16];
	int code = lock_shared(s, fd, err);

	if (code < 0 || is_ours(s))
		return code;
	snprintf(journal, sizeof(journal), "%s-journal", s->path);
	if (access(journal, F_OK) < 0)
		return foreign(s, err);
	return kp_err_set(err, -EIO,
			  "%s is not a database of incidents, or it was left in the middle of a "
			  "change: if it is your own, `sqlite3 %s .schema` undoes that; else name "
			  "another with --db FILE",
			  s->path, s->path);
}

/* Makes the tables, or brings them to the present edition, unless another process was faster. */
static int renew(struct kp_store *s, struct kp_err *err)
{
	int code = sqlite3_exec(s->db, "BEGIN EXCLUSIVE", NULL, NULL, NULL);
	unsigned edition = code == SQLITE_OK ? kp_edition_of(s->db) : 0;

	if (code == SQLITE_OK && edition)
		code = kp_edition_migrate(s->db, edition);
	else if (code == SQLITE_OK && s->is_empty)
		code = kp_edition_make(s->db);
	if (code == SQLITE_OK)
		code = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return 0;
	code = kp_store_fail(s, s->is_empty ? "make its tables" : "bring it to this edition", err);
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return code;
}

/* Goes on with a copy in memory, for who only reads. */
static bool copy(struct kp_store *s)
{
	sqlite3_backup *backup;
	sqlite3 *db = NULL;

	if (sqlite3_open(":memory:", &db) == SQLITE_OK &&
	    (backup = sqlite3_backup_init(db, "main", s->db, "main"))) {
		sqlite3_backup_step(backup, -1);
		if (sqlite3_backup_finish(backup) == SQLITE_OK) {
			sqlite3_close(s->db);
			s->db = db;
			restrain(s);
			return true;
		}
	}
	sqlite3_close(db);
	return false;
}

/* Looked at in one transaction, since another process may be about to change it. */
static unsigned edition_now(struct kp_store *s)
{
	unsigned edition;

	if (sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return 0;
	edition = kp_edition_of(s->db);
	sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	return edition;
}

/* An earlier edition becomes the present one, in memory if it cannot in the file and nothing is to
 * be saved. */
static int make_present(struct kp_store *s, bool create, struct kp_err *err)
{
	unsigned edition = edition_now(s);
	int code = 0;

	if (edition == KP_EDITION)
		return 0;
	if (!edition && !s->is_empty)
		return foreign(s, err);
	if (s->read_only || (code = renew(s, err)) < 0)
		code = !create && copy(s) ? renew(s, err) : code;
	if (code < 0)
		return code;
	return edition_now(s) == KP_EDITION ? 0 : foreign(s, err);
}

static int open_for_real(struct kp_store *s, bool create, struct kp_err *err)
{
	/* One thread uses a store: SQLite's own locks are a twentieth of what a large graph takes.
	 */
	int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
		    (s->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);

	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
		return kp_store_fail(s, "open it", err);
	restrain(s);
	return make_present(s, create, err);
}

/* Finds the file and looks at it; sets s->path. */
static int find_file(struct kp_store *s, const char *path, bool create, struct kp_err *err)
{
	char dir[PATH_MAX], name[NAME_MAX + 1] = "incidents.db";
	int dir_fd = path ? open_named_dir(path, dir, sizeof(dir), name, err)
			  : open_own_dir(create, dir, sizeof(dir), err);
	int fd, code;

	if (dir_fd < 0)
		return dir_fd;
	if (asprintf(&s->path, "%s/%s", dir, name) < 0) {
		s->path = NULL;
		close(dir_fd);
		return kp_err_set(err, -ENOMEM, "out of memory");
	}
	fd = open_file(s, dir_fd, name, create, err);
	close(dir_fd);
	if (fd < 0)
		return fd;
	code = check_file(s, fd, !path, err);
	if (code == 0 && s->is_empty && !create)
		code = kp_err_set(err, -ENOENT, "the database %s is empty", s->path);
	if (code == 0 && !s->is_empty)
		code = check_marks(s, fd, err);
	if (code == 0 && !s->is_empty && path)
		code = check_schema(s, fd, err);
	/* Closed before SQLite locks the file: closing it later would take the lock away. */
	close(fd);
	return code;
}

int kp_store_open(const char *path, bool create, struct kp_store **ret_store, struct kp_err *err)
{
	struct kp_store *s = calloc(1, sizeof(*s));
	int code;

	if (!s)
		return kp_err_set(err, -ENOMEM, "out of memory");
	code = find_file(s, path, create, err);
	if (code == 0)
		code = open_for_real(s, create, err);
	if (code < 0) {
		kp_store_free(s);
		return code;
	}
	*ret_store = s;
	return 0;
}

void kp_store_free(struct kp_store *store)
{
	if (!store)
		return;
	sqlite3_close(store->db);
	free(store->path);
	free(store);
}
