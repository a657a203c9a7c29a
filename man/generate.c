/* SPDX-License-Identifier: MIT
 *
 * Writes what is derived from the tables at build time: the option list of a man page, the event
 * and system call lists, shell completions.
 *
 *   generate man PAGE.in      the page with @OPTIONS COMMAND@, @EVENTS@, @SYSCALLS@, @RULES@,
 * @LED_RULES@,
 *                           @BOUNDS@, @ISSUERS@, @TABLES@, @MEMBERS@, @LAYOUT RECORD@,
 *                           @LIMITS COMMAND@ filled in
 *   generate bash|zsh|fish    a completion script
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "analyze/rules.h"
#include "analyze/tables.h"
#include "base/card.h"
#include "base/limit.h"
#include "cli/cli.h"
#include "event/event.h"
#include "generate.h"
#include "kprobe/log_format.h"

static void man_option(const struct kp_option *o)
{
	printf(".It ");
	if (o->short_name) {
		printf("Fl %c", o->short_name);
		if (o->arg)
			printf(" Ar %s", o->arg);
		printf(" , ");
	}
	printf("Fl \\-%s", o->long_name);
	if (o->arg)
		printf(" Ns = Ns Ar %s", o->arg);
	putchar('\n');
	putchar(toupper((unsigned char)o->help[0]));
	man_roff(o->help + 1);
	printf(".\n");
	if (o->values) {
		printf("One of\n");
		man_roff(o->values);
		printf(".\n");
	}
	if (o->least)
		printf("Between %s and %s.\n", o->least, o->most);
	if (o->repeat)
		printf("May be repeated.\n");
	if (o->env)
		printf("Default from\n.Ev %s .\n", o->env);
}

/* Each option of the command. */
static void each_option(const struct kp_command *command, void (*fn)(const struct kp_option *o))
{
	const struct kp_option *o;

	for (int i = 0; (o = kp_cli_option(command, i)); i++)
		fn(o);
}

static void man_events(void)
{
	const struct kp_event_desc *d;

	for (unsigned kind = 0; kind < KP_EV_END; kind++) {
		d = kp_event_get(kind);
		if (!d)
			continue;
		printf(".Ss %s\n.Pq number %u, group %s\n", d->name, kind, kp_group_name(d->group));
		man_roff(d->doc);
		printf("\n.Bl -tag -width Ds -compact\n");
		for (unsigned i = 0; i < d->field_cnt; i++) {
			printf(".It Va %s\n", d->fields[i].name);
			man_roff(d->fields[i].doc);
			putchar('\n');
		}
		printf(".El\n");
	}
}

static void man_rules(const struct kp_rule *rule)
{
	printf(".Bl -tag -width stopped -compact\n");
	for (; rule->name; rule++) {
		printf(".It Cm %s\n%c: ", rule->name, rule->confidence);
		man_roff(rule->doc);
		printf(".\n");
	}
	printf(".El\n");
}

/* The table before this one that has a column of the same name and meaning, or NULL. */
static const struct kp_table *told_in(const struct kp_table *t, const struct kp_col *col)
{
	for (const struct kp_table *before = kp_tables; before != t; before++)
		for (const struct kp_col *c = before->cols; c->type; c++)
			if (kp_col_is_now(c) && !strcmp(c->name, col->name) &&
			    !strcmp(c->doc, col->doc))
				return before;
	return NULL;
}

/* ", name as in table": one sentence for each table that tells some. */
static void man_told(const struct kp_table *t)
{
	const char *comma;

	for (const struct kp_table *in = kp_tables; in != t; in++) {
		comma = "";
		for (const struct kp_col *c = t->cols; c->type; c++) {
			if (!kp_col_is_now(c) || told_in(t, c) != in)
				continue;
			printf(*comma ? " , %s" : ".It Va %s", c->name);
			comma = ",";
		}
		if (*comma)
			printf("\nas in\n.Va %s .\n", in->name);
	}
}

/* Each table, each column with its type and meaning. */
static void man_tables(void)
{
	for (const struct kp_table *t = kp_tables; t->name; t++) {
		printf(".Ss Table %s\n", t->name);
		man_roff(t->doc);
		printf(".\n.Pp\n.Bl -tag -width Ds -compact\n");
		for (const struct kp_col *c = t->cols; c->type; c++) {
			if (!kp_col_is_now(c) || told_in(t, c))
				continue;
			printf(".It Va %s Pq %s\n", c->name, kp_col_sql(c->type));
			man_roff(c->doc);
			putchar('\n');
		}
		man_told(t);
		printf(".El\n");
	}
}

/* What is to be said of a member beyond its column; NULL: nothing. */
static const char *member_doc(const struct kp_col *c)
{
	return !c->json || (c->name && !strcmp(c->json, c->name)) ? NULL : c->doc;
}

/* The members of a row in the JSON: those that are columns of the same name, and the others with
 * their meaning. */
static void man_members(const struct kp_table *t)
{
	const char *comma = "";
	bool has_others = false;

	for (const struct kp_col *c = t->cols; c->type; c++) {
		has_others |= member_doc(c) != NULL;
		if (!c->json || member_doc(c))
			continue;
		printf(*comma ? " , %s" : ".Va %s", c->json);
		comma = ",";
	}
	puts(has_others ? " , and" : " .");
	if (!has_others)
		return;
	printf(".Bl -tag -width Ds -compact\n");
	for (const struct kp_col *c = t->cols; c->type; c++) {
		if (!member_doc(c))
			continue;
		printf(".It Va %s\n", c->json);
		if (c->name)
			printf("the column\n.Va %s :\n", c->name);
		man_roff(c->doc);
		putchar('\n');
	}
	printf(".El\n");
}

/* Whether a table before this one, or a column before this one, has such a member. */
static bool is_repeated(const struct kp_table *t, const struct kp_col *col)
{
	for (const struct kp_table *before = kp_tables; before <= t; before++)
		for (const struct kp_col *c = before->cols; c->type && c != col; c++)
			if (c->json && c->is_optional && !strcmp(c->json, col->json))
				return true;
	return false;
}

static void man_optional(void)
{
	const char *comma = "";

	printf(".Pp\nLeft out when they are not set are\n.Va ");
	for (const struct kp_table *t = kp_tables; t->name; t++)
		for (const struct kp_col *c = t->cols; c->type; c++) {
			if (!c->json || !c->is_optional || is_repeated(t, c))
				continue;
			printf("%s%s", comma, c->json);
			comma = " , ";
		}
	printf(" ,\nand an object whose first member is.\n");
}

static void man_json(void)
{
	printf("Of the table\n.Va incident :\n");
	man_members(kp_tables);
	for (const struct kp_table *t = kp_tables; t->name; t++) {
		if (!t->json)
			continue;
		printf(".Pp\nThe array\n.Va %s ,\nof the table\n.Va %s :\n", t->json, t->name);
		man_members(t);
	}
	man_optional();
}

static const struct {
	const char *record, *name, *doc;
	size_t offset, len;
} members[] = {
#define RECORD(record)
#define MEMBER(record, type, name, doc) \
	{#record, #name, doc, offsetof(struct kp_##record, name), sizeof(KP_MEMBER_##type)},
#define DONE(record) {#record, NULL, NULL, sizeof(struct kp_##record), 0},
#include "kprobe/log_format.def"
#undef RECORD
#undef MEMBER
#undef DONE
};

/* The members of a record in the log, and its length. */
static void man_layout(const char *record)
{
	printf(".Bl -column -compact \"offset\" \"length\" \"doubtful_cntxx\"\n"
	       ".It Em offset Ta Em length Ta Em field Ta\n");
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (strcmp(members[i].record, record))
			continue;
		if (!members[i].name) {
			printf(".El\n.Pp\nTogether %zu bytes.\n", members[i].offset);
			continue;
		}
		printf(".It %zu Ta %zu Ta %s Ta ", members[i].offset, members[i].len,
		       members[i].name);
		man_roff(members[i].doc);
		putchar('\n');
	}
}

/* "64 MiB; from 1 MiB of log on 1 GiB, or 64 MiB for each MiB of it": what differs. */
static void man_limit(const struct kp_limit *limit)
{
	char small[KP_LIMIT_TEXT_MAX], least[KP_LIMIT_TEXT_MAX], per_mib[KP_LIMIT_TEXT_MAX];

	kp_limit_print(limit->unit, limit->small, small);
	kp_limit_print(limit->unit, limit->least, least);
	kp_limit_print(limit->unit, limit->per_mib, per_mib);
	printf(".It ");
	man_roff(limit->what);
	printf("\n%s", small);
	if (limit->per_mib)
		printf(" for a log below 1 MiB, else %s or, if that is more, %s for each MiB of it",
		       least, per_mib);
	printf("; ");
	man_roff(limit->remedy);
	printf(".\n");
}

static void man_limits(void)
{
	printf(".Bl -tag -width Ds -compact\n");
	for (int i = 0; i < KP_LIMIT_CNT; i++)
		man_limit(&kp_limits[i]);
	printf(".El\n");
}

/* The lengths of numbers: "13, 16, 18, 19". */
static void man_lens(uint32_t lens)
{
	const char *between = "";

	for (unsigned n = 0; n < 32; n++) {
		if (!(lens >> n & 1))
			continue;
		printf("%s%u", between, n);
		between = ", ";
	}
}

static void man_issuers(void)
{
	printf(".Bl -column -compact \"000000 to 999999\" \"13, 14, 15, 16, 17, 18, 19\"\n"
	       ".It Em begin Ta Em digits Ta Em networks\n");
	for (size_t i = 0; i < kp_card_issuer_cnt; i++) {
		printf(".It %u to %u Ta ", kp_card_issuers[i].from, kp_card_issuers[i].to);
		man_lens(kp_card_issuers[i].lens);
		printf(" Ta ");
		man_roff(kp_card_issuers[i].names);
		putchar('\n');
	}
	printf(".El\n");
}

static void man_all_rules(void)
{
	man_rules(kp_rules);
}

static void man_led_rules(void)
{
	man_rules(kp_led_rules);
}

static void man_options(const struct kp_command *command)
{
	printf(".Bl -tag -width Ds\n");
	each_option(command, man_option);
	printf(".El\n");
}

static void man_command_limits(const struct kp_command *command)
{
	man_roff(command->limits);
	putchar('\n');
}

/* What stands in the place of a line @WORD@, … */
static const struct {
	const char *word;
	void (*fill)(void);
} fills[] = {
	{"EVENTS", man_events},       {"SYSCALLS", man_syscalls}, {"TABLES", man_tables},
	{"MEMBERS", man_json},        {"BOUNDS", man_limits},     {"RULES", man_all_rules},
	{"LED_RULES", man_led_rules}, {"ISSUERS", man_issuers},
};

/* … and of @WORD COMMAND@. */
static const struct {
	const char *word;
	void (*fill)(const struct kp_command *command);
} command_fills[] = {{"OPTIONS", man_options}, {"LIMITS", man_command_limits}};

/* word: what stands between the two @; cut into words. False: nothing is known for it. */
static bool man_fill(char *word)
{
	const struct kp_command *command;
	char *of = strchr(word, ' ');

	if (!of) {
		for (size_t i = 0; i < sizeof(fills) / sizeof(*fills); i++)
			if (!strcmp(word, fills[i].word))
				return fills[i].fill(), true;
		return false;
	}
	*of++ = '\0';
	if (!strcmp(word, "LAYOUT"))
		return man_layout(of), true;
	command = kp_cli_find(of, strlen(of));
	for (size_t i = 0; command && i < sizeof(command_fills) / sizeof(*command_fills); i++)
		if (!strcmp(word, command_fills[i].word))
			return command_fills[i].fill(command), true;
	return false;
}

static int man_page(const char *path)
{
	FILE *in = fopen(path, "re");
	char line[4096];

	if (!in)
		return perror(path), 1;
	while (fgets(line, sizeof(line), in)) {
		if (*line != '@') {
			fputs(line, stdout);
			continue;
		}
		line[1 + strcspn(line + 1, "@")] = '\0';
		if (!man_fill(line + 1)) {
			fprintf(stderr, "%s: unknown line: @%s@\n", path, line + 1);
			return 1;
		}
	}
	fclose(in);
	return 0;
}

static void bash_words(const struct kp_option *o)
{
	if (o->short_name)
		printf("-%c ", o->short_name);
	printf("--%s ", o->long_name);
}

static void bash_values(const struct kp_option *o)
{
	if (!o->arg)
		return;
	printf("\t\t");
	if (o->short_name)
		printf("-%c|", o->short_name);
	printf("--%s)\n", o->long_name);
	if (o->values) {
		printf("\t\t\tCOMPREPLY=($(compgen -W '");
		for (const char *v = o->values; *v; v++)
			putchar(*v == '|' ? ' ' : *v);
		printf("' -- \"$cur\"))\n");
	} else {
		printf("\t\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n");
	}
	printf("\t\t\treturn ;;\n");
}

static void bash(void)
{
	printf("# bash completion for kprobe; generated from the option tables\n"
	       "_kprobe()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	       "prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tCOMPREPLY=()\n\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\tCOMPREPLY=($(compgen -W '");
	for (const struct kp_command *const *c = kp_commands; *c; c++)
		printf("%s ", (*c)->name);
	printf("' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n");
	for (const struct kp_command *const *c = kp_commands; *c; c++) {
		printf("\t%s)\n\t\tcase $prev in\n", (*c)->name);
		each_option(*c, bash_values);
		printf("\t\tesac\n\t\tif [[ $cur == -* ]]; then\n\t\t\tCOMPREPLY=($(compgen -W '");
		each_option(*c, bash_words);
		printf("' -- \"$cur\"))\n\t\telse\n\t\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
		       "\t\tfi ;;\n");
	}
	printf("\tesac\n}\ncomplete -o filenames -F _kprobe kprobe\n");
}

/* Text within single quotes of zsh or fish; brackets and colons are special to _arguments. */
static void quoted(const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr(special, *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_spec(const struct kp_option *o, const char *dashes, const char *name)
{
	printf("\t\t\t'%s%s%s%s[", o->repeat ? "*" : "", dashes, name,
	       o->arg ? (dashes[1] ? "=" : "+") : "");
	quoted(o->help, "[]:\\");
	putchar(']');
	if (o->arg) {
		printf(":%s:", o->arg);
		if (o->values) {
			putchar('(');
			for (const char *v = o->values; *v; v++)
				putchar(*v == '|' ? ' ' : *v);
			putchar(')');
		} else {
			printf("_files");
		}
	}
	printf("' \\\n");
}

static void zsh_option(const struct kp_option *o)
{
	const char shorts[2] = {o->short_name, '\0'};

	if (o->short_name)
		zsh_spec(o, "-", shorts);
	zsh_spec(o, "--", o->long_name);
}

static void zsh(void)
{
	printf("#compdef kprobe\n# generated from the option tables\n"
	       "_kprobe()\n{\n\tlocal -a commands\n\tcommands=(\n");
	for (const struct kp_command *const *c = kp_commands; *c; c++) {
		printf("\t\t'%s:", (*c)->name);
		quoted((*c)->summary, ":\\");
		printf("'\n");
	}
	printf("\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command "
	       "commands\n\t\treturn\n\tfi\n"
	       "\tshift words\n\t(( CURRENT-- ))\n\tcase $words[1] in\n");
	for (const struct kp_command *const *c = kp_commands; *c; c++) {
		printf("\t%s)\n\t\t_arguments -s \\\n", (*c)->name);
		each_option(*c, zsh_option);
		printf("\t\t\t'*:file:_files' ;;\n");
	}
	printf("\tesac\n}\n_kprobe \"$@\"\n");
}

static void fish_option(const char *command, const struct kp_option *o)
{
	printf("complete -c kprobe -n '__fish_seen_subcommand_from %s' -l %s", command,
	       o->long_name);
	if (o->short_name)
		printf(" -s %c", o->short_name);
	if (o->arg)
		printf(" -r");
	if (o->values) {
		printf(" -f -a '");
		for (const char *v = o->values; *v; v++)
			putchar(*v == '|' ? ' ' : *v);
		putchar('\'');
	}
	printf(" -d '");
	quoted(o->help, "\\");
	printf("'\n");
}

static void fish(void)
{
	printf("# fish completion for kprobe; generated from the option tables\n");
	for (const struct kp_command *const *c = kp_commands; *c; c++) {
		const struct kp_option *o;

		printf("complete -c kprobe -n __fish_use_subcommand -f -a %s -d '", (*c)->name);
		quoted((*c)->summary, "\\");
		printf("'\n");
		for (int i = 0; (o = kp_cli_option(*c, i)); i++)
			fish_option((*c)->name, o);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "man") && argc == 3)
		return man_page(argv[2]);
	if (!strcmp(what, "bash"))
		bash();
	else if (!strcmp(what, "zsh"))
		zsh();
	else if (!strcmp(what, "fish"))
		fish();
	else
		return fprintf(stderr, "usage: generate man PAGE.in | bash | zsh | fish\n"), 2;
	return 0;
}
