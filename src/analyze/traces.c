/* SPDX-License-Identifier: MIT
 *
 * A file of traces: unpacked, cut into its JSON values, and each of these given to the reader of
 * its format. A log with JSON in its lines is read too: what stands before a value in a line is
 * skipped, and a line that holds none is counted. So is a value of no known format.
 *
 * Formats are told by the names of a value's members; to know one more is a row and a reader.
 */
#include "analyze/traces.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "analyze/traces_in.h"

#define MIB ((uint64_t)1 << 20)

/* A file may become so large: a fixed part, and so many bytes for each byte that it has on disk. */
static const struct limit {
	uint64_t fixed;
	uint64_t per_byte;
} limits[] = {
#define LIMIT_PLAIN 0
	[LIMIT_PLAIN] = {1024 * MIB, 0}, /* text that is not packed */
#define LIMIT_UNPACKED 1
	[LIMIT_UNPACKED] = {16 * MIB, 64}, /* text out of gzip: traces pack to 1/10 to 1/40 */
#define LIMIT_KEPT 2
	[LIMIT_KEPT] = {32 * MIB, 80}, /* memory for its spans */
#define LIMIT_TRIED 3
	[LIMIT_TRIED] = {MIB, 8}, /* text read as JSON that turns out to be none */
};

/* So many brackets of a line are tried as the begin of a JSON value. */
#define TRIES_MAX 8
/* Lists of lists of values, as deep as they are looked into. */
#define NESTED_MAX 3
/* What tells formats that are not JSON stands within this. */
#define SIGN_MAX 65536

static uint64_t limit_of(unsigned which, uint64_t size)
{
	uint64_t more;

	return __builtin_mul_overflow(size, limits[which].per_byte, &more) ||
			       __builtin_add_overflow(more, limits[which].fixed, &more)
		       ? UINT64_MAX
		       : more;
}

/* --- formats in JSON --- */

#define MEMBERS(X)                     \
	X(resourcespans)               \
	X(batches)                     \
	X(scopespans)                  \
	X(instrumentationlibraryspans) \
	X(trace)                       \
	X(data)                        \
	X(result)                      \
	X(traceid)                     \
	X(spans)                       \
	X(context)                     \
	X(spancontext)                 \
	X(starttime)                   \
	X(starttimeunixnano)           \
	X(timestamp)                   \
	X(duration)                    \
	X(id)                          \
	X(localendpoint)               \
	X(log)                         \
	X(stream)                      \
	X(resourcemetrics)             \
	X(resourcelogs)

enum member {
#define X(name) M_##name,
	MEMBERS(X)
#undef X
		M_CNT
};

#define BIT(name) (1u << M_##name)

/* The first row of which a value has all members. */
static const struct format {
	uint32_t members;
	const char *name; /* NULL: not worth one of its own */
	void (*read)(struct kp_trace_in *in, struct kp_json value);
	const char *rest; /* without a reader and with a name: what to do instead; without a name:
			     the member in which the traces are */
} formats[] = {
	{BIT(resourcespans), "OTLP JSON", kp_trace_read_request, NULL},
	{BIT(batches), "Tempo's", kp_trace_read_request, NULL},
	{BIT(scopespans), NULL, kp_trace_read_resource_spans, NULL},
	{BIT(instrumentationlibraryspans), NULL, kp_trace_read_resource_spans, NULL},
	{BIT(traceid) | BIT(spans), "Jaeger's", kp_trace_read_jaeger, NULL},
	{BIT(context) | BIT(starttime), "the console exporters' of Python", kp_trace_read_python,
	 NULL},
	{BIT(spancontext) | BIT(starttime), "Go", kp_trace_read_go, NULL},
	{BIT(traceid) | BIT(id) | BIT(timestamp) | BIT(localendpoint), "Zipkin's JSON", NULL,
	 "export OTLP or Jaeger's JSON"},
	{BIT(traceid) | BIT(id) | BIT(timestamp), "and JavaScript", kp_trace_read_js, NULL},
	{BIT(traceid) | BIT(starttimeunixnano), NULL, kp_trace_read_span, NULL},
	{BIT(resourcemetrics), "OTLP metrics", NULL, "give the file of the traces"},
	{BIT(resourcelogs), "OTLP logs", NULL, "give the file of the traces"},
	{BIT(log) | BIT(stream), "Docker's log", NULL, "give what docker logs prints"},
	{BIT(trace), NULL, NULL, "trace"},   /* what Tempo answers */
	{BIT(data), NULL, NULL, "data"},     /* what Jaeger answers */
	{BIT(result), NULL, NULL, "result"}, /* the same, version 3 */
};

static const struct format *format_of(struct kp_json value)
{
	static const char *const names[] = {
#define X(name) #name,
		MEMBERS(X)
#undef X
	};
	struct kp_json m[M_CNT];
	uint32_t has = 0;

	kp_json_pick(value, names, m, M_CNT);
	for (unsigned i = 0; i < M_CNT; i++)
		has |= m[i].text ? 1u << i : 0;
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if ((has & formats[i].members) == formats[i].members)
			return &formats[i];
	return NULL;
}

static void read_as(struct kp_trace_in *in, const struct format *f, struct kp_json value);

/* Reads a value, or the elements of an array; what is of no format is counted. */
static void read_value(struct kp_trace_in *in, struct kp_json value)
{
	enum kp_json_type type = kp_json_type(value);
	struct kp_json_iter iter = kp_json_each(value);
	const struct format *f = type == KP_JSON_OBJECT ? format_of(value) : NULL;

	if (in->depth == NESTED_MAX || (type != KP_JSON_ARRAY && !f)) {
		if (in->cut) /* a piece of what is told already */
			return;
		kp_trace_fault(in, KP_TF_foreign, value.text ? value.text : in->text, "");
		return;
	}
	in->depth++;
	if (f)
		read_as(in, f, value);
	while (!f && in->code == 0 && kp_json_next(&iter))
		read_value(in, iter.value);
	in->depth--;
}

static void read_as(struct kp_trace_in *in, const struct format *f, struct kp_json value)
{
	char what[80];

	if (f->read) {
		in->known++;
		f->read(in, value);
	} else if (f->name) {
		snprintf(what, sizeof(what), "%s: %s", f->name, f->rest);
		kp_trace_fault(in, KP_TF_unread, value.text, what);
	} else {
		read_value(in, kp_json_get(value, f->rest));
	}
}

/* --- formats that are not JSON --- */

static const struct sign {
	const char *bytes;
	size_t len;
	size_t within; /* how far from the begin it may stand */
	const char *what;
	const char *remedy;
} signs[] = {
#define SIGN(bytes, within, what, remedy)                      \
	{                                                      \
		bytes, sizeof(bytes) - 1, within, what, remedy \
	}
	SIGN("\xff\xfe\0\0", 0, "UTF-32", "convert it with iconv -f UTF-32 -t UTF-8"),
	SIGN("\0\0\xfe\xff", 0, "UTF-32", "convert it with iconv -f UTF-32 -t UTF-8"),
	SIGN("\xff\xfe", 0, "UTF-16", "convert it with iconv -f UTF-16 -t UTF-8"),
	SIGN("\xfe\xff", 0, "UTF-16", "convert it with iconv -f UTF-16 -t UTF-8"),
	SIGN("{\0", 0, "UTF-16", "convert it with iconv -f UTF-16LE -t UTF-8"),
	SIGN("[\0", 0, "UTF-16", "convert it with iconv -f UTF-16LE -t UTF-8"),
	SIGN("\0{", 0, "UTF-16", "convert it with iconv -f UTF-16BE -t UTF-8"),
	SIGN("\0[", 0, "UTF-16", "convert it with iconv -f UTF-16BE -t UTF-8"),
	SIGN("\x28\xb5\x2f\xfd", 0, "packed by zstd", "unpack it with zstd -d"),
	SIGN("\x28\xb5\x2f\xfd", 4, "packed by the Collector's file exporter",
	     "leave its setting compression: zstd out"),
	SIGN("\xfd"
	     "7zXZ",
	     0, "packed by xz", "unpack it with xz -d"),
	SIGN("BZh", 0, "packed by bzip2", "unpack it with bunzip2"),
	SIGN("PK\x03\x04", 0, "a zip archive", "unpack it with unzip"),
	SIGN("opentelemetry.exporter.logging.LoggingSpanExporter", SIGN_MAX,
	     "the log of Java's exporter 'logging' or 'console', which writes no times",
	     "set OTEL_TRACES_EXPORTER=logging-otlp"),
	SIGN("Activity.TraceId:", SIGN_MAX, "the .NET SDK's console output",
	     "export OTLP to a Collector with the exporter 'file'"),
	SIGN("ResourceSpans #", SIGN_MAX, "what the Collector's exporter 'debug' prints",
	     "use its exporter 'file'"),
	SIGN("OpenTelemetry::SDK::Trace::SpanData", SIGN_MAX, "the Ruby SDK's console output",
	     "export OTLP to a Collector with the exporter 'file'"),
	SIGN("\x1b[", SIGN_MAX, "text with colours of a terminal",
	     "let the program write into a file or a pipe, with NO_COLOR=1"),
	SIGN("<html", 256, "an HTML page", "download the trace's JSON"),
	SIGN("<!DOCTYPE", 256, "an HTML page", "download the trace's JSON"),
#undef SIGN
};

static bool is_control(unsigned char c)
{
	return c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\x1b' && c != '\x1e';
}

/* Field 1 (resource_spans) with its length, which holds field 1 (resource) or 2 (scope_spans). */
static bool is_protobuf(const char *text, size_t len)
{
	size_t at = 1;

	if (len < 4 || text[0] != 0x0a)
		return false;
	while (at < 6 && at < len && (text[at] & 0x80))
		at++;
	return at + 1 < len && (text[at + 1] == 0x0a || text[at + 1] == 0x12);
}

/* What a file is that holds no JSON of a known format; NULL: not known. */
static const char *name_text(const char *text, size_t len, const char **ret_remedy)
{
	static const char json[] = "write JSON: the Collector's exporter 'file' does with format: "
				   "json, SDKs with OTEL_EXPORTER_OTLP_PROTOCOL=http/json";
	const struct sign *s;
	size_t reach;

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		s = &signs[i];
		reach = s->within + s->len < len ? s->within + s->len : len;
		if (memmem(text, reach, s->bytes, s->len)) {
			*ret_remedy = s->remedy;
			return s->what;
		}
	}
	*ret_remedy = json;
	/* The Collector puts four bytes of length before each message. */
	if (is_protobuf(text, len) || (len > 4 && is_protobuf(text + 4, len - 4)))
		return "OTLP in protobuf, which is not read";
	for (size_t i = 0; i < len && i < SIGN_MAX; i++)
		if (is_control((unsigned char)text[i]))
			return "binary (protobuf?)";
	return NULL;
}

/* --- cutting a text into its values --- */

/* Spaces, byte order marks, and the separators of JSON text sequences (RFC 7464). */
static size_t skip_blank(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len) {
		if (strchr(" \t\r\n\x1e", text[at]) && text[at])
			at++;
		else if (len - at >= 3 && memcmp(text + at, "\xef\xbb\xbf", 3) == 0)
			at += 3;
		else
			break;
	}
	return at;
}

/* One value at `at`; returns the bytes used, 0: it is none. first: it begins its line. */
static size_t try_value(struct kp_trace_in *in, const char *at, bool first,
			struct kp_json_fault *fault)
{
	size_t len = (size_t)(in->text + in->len - at);
	struct kp_json_fault loose;
	struct kp_json value;

	if (kp_json_read(at, len, KP_JSON_STRICT, &value, fault)) {
		read_value(in, value);
		return value.len;
	}
	in->tried += fault->at;
	if (!first || *at != '{')
		return 0;
	if (kp_json_read(at, len, KP_JSON_LOOSE, &value, &loose) && format_of(value)) {
		read_value(in, value);
		return value.len;
	}
	in->tried += loose.at;
	return 0;
}

/* Tells what the first bracket of a line began that is no value; at: where. */
static void tell_fault(struct kp_trace_in *in, const char *at, const struct kp_json_fault *fault)
{
	if (in->cut) /* a piece of what is told already */
		return;
	in->cut = kp_json_is_cut(fault);
	kp_trace_fault(in, in->cut ? KP_TF_cut_json : KP_TF_not_json, at,
		       in->cut ? "" : fault->why);
}

/* The values of one line, or of several if a value is so long; returns the bytes used. */
static size_t read_line(struct kp_trace_in *in, const char *line)
{
	const char *end = in->text + in->len, *newline, *at = line, *first = line;
	struct kp_json_fault fault, why = {0, "not a value"};
	unsigned tries = 0;
	size_t used = 0;

	newline = memchr(line, '\n', (size_t)(end - line));
	end = newline ? newline : end;
	for (; tries < TRIES_MAX && at < end; at++) {
		if (*at != '{' && *at != '[')
			continue;
		used = try_value(in, at, at == line, &fault);
		if (used)
			break;
		if (tries++)
			continue;
		first = at;
		why = fault;
		if (kp_json_is_cut(&why)) /* what follows are pieces of it */
			tell_fault(in, first, &why);
	}
	/* Before a value may stand what a log puts there. */
	if (!used)
		tell_fault(in, first, &why);
	return used ? (size_t)(at - line) + used : (size_t)(end - line);
}

static void read_text(struct kp_trace_in *in)
{
	uint64_t tried_max = limit_of(LIMIT_TRIED, in->len);
	size_t at = 0;

	while (in->code == 0) {
		at += skip_blank(in->text + at, in->len - at);
		if (at >= in->len)
			return;
		at += read_line(in, in->text + at);
		if (in->tried > tried_max)
			in->code = -EBADMSG;
	}
}

/* --- the whole file --- */

static void list_formats(struct kp_buf *out)
{
	const char *comma = "";

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		if (!formats[i].name || !formats[i].read)
			continue;
		kp_buf_printf(out, "%s%s", comma, formats[i].name);
		comma = ", ";
	}
}

/* Nothing of it was understood: what is it then? */
static int refuse(struct kp_trace_in *in, struct kp_err *err)
{
	struct kp_buf why = {0}, known = {0};
	const char *remedy, *what = name_text(in->text, in->len, &remedy);

	if (in->len == 0)
		return kp_err_set(err, -EPROTO, "%s is empty", in->name);
	if (what)
		return kp_err_set(err, -EPROTO, "%s is %s: %s", in->name, what, remedy);
	kp_traces_explain(in->traces, &why);
	list_formats(&known);
	kp_err_set(err, -EPROTO, "%s holds no trace that can be read: %s; known are %s", in->name,
		   why.len ? why.data : "nothing but spaces", known.len ? known.data : "");
	kp_buf_done(&why);
	kp_buf_done(&known);
	return -EPROTO;
}

/* disk_len: bytes that the text takes packed. */
static int parse(struct kp_traces *traces, const char *text, size_t len, uint64_t disk_len,
		 const char *name, struct kp_err *err)
{
	uint64_t kept_max = limit_of(LIMIT_KEPT, disk_len);
	struct kp_trace_in in = {.traces = traces,
				 .name = name,
				 .text = text,
				 .len = len,
				 .kept_max = kept_max > SIZE_MAX ? SIZE_MAX : kept_max};

	read_text(&in);
	kp_buf_done(&in.scratch);
	switch (in.code) {
	case -ENOMEM:
		return kp_err_set(err, in.code, "%s: out of memory", name);
	case -EFBIG:
		return kp_err_set(err, in.code,
				  "%s: its spans would take more than %" PRIu64
				  " MiB, which a file of %" PRIu64
				  " bytes is not allowed: cut it down to the trace in question",
				  name, kept_max / MIB, disk_len);
	case -EBADMSG:
		return kp_err_set(err, -EPROTO,
				  "%s: too much of it looks like JSON and is none: %s", name,
				  "give a file that holds traces only");
	}
	return in.known ? 0 : refuse(&in, err);
}

int kp_traces_parse(struct kp_traces *traces, const char *text, size_t len, const char *name,
		    struct kp_err *err)
{
	return parse(traces, text, len, len, name, err);
}

/* Reads until the end, or damage, which is no error: what is there is used. disk_len 0: not known
 * before. */
static int read_all(struct kp_traces *traces, gzFile file, uint64_t disk_len, struct kp_buf *text,
		    struct kp_err *err)
{
	bool plain = gzdirect(file);
	uint64_t size = disk_len;
	char *place;
	int n, code;

	do {
		place = kp_buf_reserve(text, 1 << 16);
		if (!place)
			return kp_err_set(err, -ENOMEM, "out of memory");
		n = gzread(file, place, 1 << 16);
		text->len += n > 0 ? (size_t)n : 0;
		if (!disk_len)
			size = (uint64_t)gzoffset(file);
		if (text->len > limit_of(plain ? LIMIT_PLAIN : LIMIT_UNPACKED, size))
			return kp_err_set(err, -EFBIG, "%s",
					  plain ? "more than 1 GiB of text: cut it down to the "
						  "trace in question"
						: "unpacked it would be more than 64 times as "
						  "large: if that is right, unpack it with gunzip "
						  "first");
	} while (n > 0);
	gzerror(file, &code);
	if (code == Z_ERRNO)
		return kp_err_sys(err, errno ? -errno : -EIO, "it cannot be read");
	if (code != Z_OK && code != Z_STREAM_END) {
		traces->faults[KP_TF_gzip]++;
		traces->first[KP_TF_gzip] =
			(struct kp_trace_place){.byte = (uint64_t)gzoffset(file), .detail = ""};
	}
	return 0;
}

/* Bytes of a regular file; 0: it is none. */
static uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

int kp_traces_read(struct kp_traces *traces, const char *path, struct kp_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), code;
	struct kp_buf text = {0};
	uint64_t disk_len;
	gzFile file;

	if (fd < 0)
		return kp_err_sys(err, -errno, "cannot open traces %s", path);
	disk_len = size_of(fd);
	file = gzdopen(fd, "rb");
	if (!file) {
		close(fd);
		return kp_err_set(err, -ENOMEM, "out of memory");
	}
	code = read_all(traces, file, disk_len, &text, err);
	if (code < 0)
		kp_err_prefix(err, code, "traces %s", path);
	else
		code = parse(traces, text.len ? text.data : "", text.len,
			     disk_len ? disk_len : (uint64_t)gzoffset(file), path, err);
	gzclose(file);
	kp_buf_done(&text);
	return code;
}

void kp_traces_done(struct kp_traces *traces)
{
	KP_VEC_DONE(&traces->spans);
	kp_arena_done(&traces->arena);
}

void kp_traces_explain(const struct kp_traces *traces, struct kp_buf *out)
{
	static const struct {
		const char *noun, *what, *remedy;
	} rows[] = {
#define FAULT(name, noun, what, remedy) {noun, what, remedy},
		KP_TRACE_FAULTS(FAULT)
#undef FAULT
	};
	const struct kp_trace_place *first;
	const char *comma = "";
	uint64_t n;

	for (unsigned i = 0; i < KP_TF_CNT; i++) {
		n = traces->faults[i];
		first = &traces->first[i];
		if (!n)
			continue;
		kp_buf_printf(out, "%s%" PRIu64 " %s%s %s (%s", comma, n, rows[i].noun,
			      n > 1 ? "s" : "", rows[i].what, n > 1 ? "the first in " : "");
		if (first->line)
			kp_buf_printf(out, "line %" PRIu64 ", ", first->line);
		kp_buf_printf(out, "byte %" PRIu64 "%s%s)%s%s", first->byte,
			      first->detail[0] ? ": " : "", first->detail,
			      rows[i].remedy[0] ? ": " : "", rows[i].remedy);
		comma = "; ";
	}
}

int kp_traces_blame(const struct kp_traces *traces, const char *path, int code, struct kp_err *err)
{
	struct kp_buf odd = {0};
	struct kp_err said;

	kp_traces_explain(traces, &odd);
	if (odd.len && err) {
		said = *err;
		if (traces->faults[KP_TF_cut_json] || traces->faults[KP_TF_gzip])
			kp_err_set(err, code, "%s is not whole: %s. By what there is of it, %s",
				   path, odd.data, said.text);
		else
			kp_err_set(err, code, "%s. In %s: %s", said.text, path, odd.data);
	}
	kp_buf_done(&odd);
	return code;
}
