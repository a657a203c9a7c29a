/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the reader of objects. Configure with -DKP_FUZZ=ON and clang, then
 *
 *   fuzz_object -max_len=65536 CORPUS
 *
 * The first byte says how the rest becomes an object:
 *   bit 0  it is packed; else it is the file as it stands
 *   bit 1  the log says another length than that of the unpacked bytes
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/blake2b.h"
#include "log/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int objects_fd = -1;
static char dir[] = "/tmp/kprobe-fuzz-XXXXXX";

static void remove_folder(void)
{
	unlinkat(objects_fd, "00", AT_REMOVEDIR);
	rmdir(dir);
}

static void make_folder(void)
{
	if (!mkdtemp(dir))
		abort();
	objects_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (objects_fd < 0 || mkdirat(objects_fd, "00", 0700) < 0)
		abort();
	atexit(remove_folder);
}

/* The pages come in order, none beyond what the log says. */
static int take_page(void *arg, uint64_t offset, const unsigned char *data, size_t len)
{
	uint64_t *end = arg;

	if (offset < *end || !len || len > 4096)
		abort();
	(void)data;
	*end = offset + len;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static unsigned char packed[1 << 20];
	struct kp_object object = {{0}, 1 << 20};
	char name[KP_OBJECT_NAME_LEN];
	const char *why = NULL;
	uint64_t end = 0;
	uint8_t mode;
	int fd, r;

	if (!len)
		return 0;
	if (objects_fd < 0)
		make_folder();
	mode = *data++;
	len--;
	if (mode & 1) {
		object.len = len + (mode >> 1 & 1);
		kp_blake2b(data, len, object.hash, sizeof(object.hash));
		object.hash[0] = 0; /* one folder */
		len = ZSTD_compress(packed, sizeof(packed), data, len, 1);
		data = packed;
	}
	kp_object_name(&object, name);
	fd = openat(objects_fd, name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
	r = kp_object_read(objects_fd, &object, KP_OBJECT_ANY_LEN, take_page, &end, &why);
	if (r < 0 && !why)
		abort();
	unlinkat(objects_fd, name, 0);
	return 0;
}
