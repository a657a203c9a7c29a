/* SPDX-License-Identifier: MIT
 *
 * Values behind the command line: environment variables KPROBE_…, then the configuration file. What
 * nobody knows there is an error: a setting with a typing error must not be a setting that is off.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define DEFAULT_CONFIG "/etc/kprobe/config"
#define CONFIG_VARIABLE "KPROBE_CONFIG"
#define PREFIX "KPROBE_"

/* --- environment --- */

/* Calls fn with the variable of each option of the command, or of all commands. */
static void each_variable(const struct kp_command *command, void (*fn)(const char *name, void *arg),
			  void *arg)
{
	const struct kp_option *o;

	for (int i = 0; (o = kp_cli_option(command, i)); i++)
		if (o->env)
			fn(o->env, arg);
}

struct lookup {
	struct kp_nearest nearest;
	bool found;
};

static void compare(const char *name, void *arg)
{
	struct lookup *lookup = arg;

	kp_nearest_try(&lookup->nearest, name);
	if (strlen(name) == lookup->nearest.len &&
	    !strncmp(name, lookup->nearest.word, lookup->nearest.len))
		lookup->found = true;
}

/*
 * Kubernetes and Docker tell a container of a service named kprobe by KPROBE_SERVICE_HOST,
 * KPROBE_PORT_4317_TCP_ADDR and the like.
 */
static bool is_service(const char *name, size_t len)
{
	static const char *const marks[] = {"_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"};
	char copy[256];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, name, len);
	copy[len] = '\0';
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strstr(copy, marks[i]))
			return true;
	return len >= 5 && !strcmp(copy + len - 5, "_PORT");
}

static int check_variable(const struct kp_command *command, const char *name, struct kp_err *err)
{
	size_t len = strcspn(name, "=");
	struct lookup lookup = {.found = false};

	kp_nearest_init(&lookup.nearest, name, len);
	compare(CONFIG_VARIABLE, &lookup);
	each_variable(command, compare, &lookup);
	for (const struct kp_command *const *c = kp_commands; *c; c++)
		each_variable(*c, compare, &lookup);
	if (lookup.found || is_service(name, len))
		return 0;
	if (lookup.nearest.best)
		return kp_err_set(err, -EINVAL,
				  "environment variable '%.*s' is not known; did you mean '%s'?",
				  (int)len, name, lookup.nearest.best);
	return kp_err_set(err, -EINVAL,
			  "environment variable '%.*s' is not known; unset it, or see kprobe(1)",
			  (int)len, name);
}

/* --- one value --- */

/* "yes" or "no" for flags. */
static int set_from_text(const struct kp_option *o, const char *text, void *request,
			 struct kp_err *err)
{
	if (o->arg)
		return kp_cli_apply(o, text, request, err);
	if (!strcmp(text, "no") || !strcmp(text, "0"))
		return 0;
	if (strcmp(text, "yes") != 0 && strcmp(text, "1") != 0)
		return kp_err_set(err, -EINVAL, "'%s' is neither yes nor no", text);
	return kp_cli_apply(o, NULL, request, err);
}

static int read_environment(const struct kp_command *command, bool *seen, void *request,
			    struct kp_err *err)
{
	const struct kp_option *o;
	const char *text;
	int r;

	for (char **at = environ; at && *at; at++) {
		r = strncmp(*at, PREFIX, strlen(PREFIX)) ? 0 : check_variable(command, *at, err);
		if (r < 0)
			return r;
	}
	for (int i = 0; (o = kp_cli_option(command, i)); i++) {
		text = o->env && !seen[i] ? getenv(o->env) : NULL;
		if (!text || !*text)
			continue;
		r = set_from_text(o, text, request, err);
		if (r < 0)
			return kp_err_prefix(err, r, "%s", o->env);
		seen[i] = true;
	}
	return 0;
}

/* --- the file --- */

/* Cuts the spaces off both ends, in place. */
static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (isspace((unsigned char)*text))
		text++;
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

/* Index of the option "NAME" of the command, or -1; names are tried for the nearest. */
static int find_option(const struct kp_command *command, const char *name,
		       struct kp_nearest *nearest)
{
	const struct kp_option *o;
	char full[128];
	int found = -1;

	for (int i = 0; (o = kp_cli_option(command, i)); i++) {
		if (!strcmp(o->long_name, "help"))
			continue;
		snprintf(full, sizeof(full), "%s.%s", command->name, o->long_name);
		if (!strcmp(full, name))
			found = i;
		kp_nearest_try(nearest, o->long_name);
	}
	return found;
}

static int unknown_key(const char *key, const struct kp_command *owner,
		       const struct kp_nearest *nearest, struct kp_err *err)
{
	if (!owner)
		return kp_err_set(err, -EINVAL,
				  "'%s' does not begin with the name of a command and a full stop",
				  key);
	if (nearest->best)
		return kp_err_set(err, -EINVAL, "'%s' is not known; did you mean '%s.%s'?", key,
				  owner->name, nearest->best);
	return kp_err_set(err, -EINVAL, "'%s' is not known; 'kprobe %s --help' lists the options",
			  key, owner->name);
}

/* A key that the command has: its index; another command's: -1; nobody's: -EINVAL. */
static int find_key(const struct kp_command *command, const char *key, struct kp_err *err)
{
	size_t len = strcspn(key, ".");
	const struct kp_command *owner =
		strlen(command->name) == len && !strncmp(command->name, key, len)
			? command
			: kp_cli_find(key, len);
	struct kp_nearest nearest;
	int index = -1;

	kp_nearest_init(&nearest, key + len + (key[len] == '.'),
			strlen(key + len + (key[len] == '.')));
	if (owner && key[len])
		index = find_option(owner, key, &nearest);
	if (index < 0)
		return unknown_key(key, owner, &nearest, err);
	return owner == command ? index : -1;
}

static int read_line(const struct kp_command *command, char *line, const bool *seen, void *request,
		     struct kp_err *err)
{
	char *key = trim(line), *equals = strchr(key, '=');
	int index;

	if (!*key || *key == '#')
		return 0;
	if (!equals)
		return kp_err_set(err, -EINVAL, "'%s' is not of the form COMMAND.OPTION = VALUE",
				  key);
	*equals = '\0';
	key = trim(key);
	index = find_key(command, key, err);
	if (index < -1)
		return index;
	if (index < 0 || seen[index])
		return 0;
	return set_from_text(kp_cli_option(command, index), trim(equals + 1), request, err);
}

/* Values point into the text, which therefore stays. */
static char *config_text;

static int read_text(FILE *file, struct kp_err *err)
{
	size_t cap = 0;
	ssize_t len;

	free(config_text);
	config_text = NULL;
	len = getdelim(&config_text, &cap, '\0', file);
	if (len < 0) {
		free(config_text);
		config_text = NULL;
		return ferror(file) ? kp_err_sys(err, -errno, "cannot be read") : 0;
	}
	if (!config_text[len - 1])
		return kp_err_set(err, -EINVAL, "is not text: it holds a zero byte");
	return 0;
}

static int read_config(const struct kp_command *command, const bool *seen, void *request,
		       struct kp_err *err)
{
	const char *given = getenv(CONFIG_VARIABLE);
	const char *path = given && *given ? given : DEFAULT_CONFIG;
	FILE *file = fopen(path, "re");
	unsigned number = 0;
	char *rest, *line;
	int r;

	if (!file)
		return path != given && errno == ENOENT
			       ? 0
			       : kp_err_sys(err, -errno, "cannot read %s", path);
	r = read_text(file, err);
	fclose(file);
	rest = config_text;
	while (r >= 0 && (line = strsep(&rest, "\n"))) {
		r = read_line(command, line, seen, request, err);
		number++;
	}
	if (r < 0 && !number)
		return kp_err_prefix(err, r, "%s", path);
	return r < 0 ? kp_err_prefix(err, r, "%s:%u", path, number) : 0;
}

int kp_cli_settings(const struct kp_command *command, bool *seen, void *request, struct kp_err *err)
{
	int r = read_environment(command, seen, request, err);

	return r < 0 ? r : read_config(command, seen, request, err);
}
