// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "criu_abi.h"
#include "log.h"
#include "options.h"

#define VARIABLE "GUARDMAPS_CRIU"

static bool is_word(const char *text, size_t length, const char *word)
{
	return length == strlen(word) && memcmp(text, word, length) == 0;
}

/* @where: where it was found, for the message. */
static bool take_word(const char *text, size_t length, const char *where,
		      struct options *options)
{
	if (is_word(text, length, "off"))
		options->off = true;
	else if (is_word(text, length, "strict"))
		options->strict = true;
	else if (is_word(text, length, "prot-none"))
		options->prot_none = true;
	else {
		log_error(
			"%s: unknown option \"%.*s\" (known are off, strict, prot-none)",
			where, (int)length, text);
		return false;
	}
	return true;
}

static bool read_environment(struct options *options)
{
	const char *words = getenv(VARIABLE);

	while (words && *words) {
		size_t length = strcspn(words, ",");
		if (length > 0 && !take_word(words, length, VARIABLE, options))
			return false;
		words += length;
		words += *words == ',';
	}
	return true;
}

/* Each plugin gets the options of all plugins, as --PLUGIN.OPTION. */
static bool read_arguments(struct options *options)
{
	static const char where[] = "--plugin-option";
	static const char own[] = "guardmaps.";
	char **arguments;
	int count;

	if (!criu_plugin_get_options)
		return true;
	if (criu_plugin_get_options(&count, &arguments)) {
		log_error("%s: cannot get the options from criu", where);
		return false;
	}
	for (int i = 1; i < count; i++) {
		const char *option = arguments[i] + strspn(arguments[i], "-");
		const char *word = option + strlen(own);
		if (strncmp(option, own, strlen(own)) == 0 &&
		    !take_word(word, strlen(word), where, options))
			return false;
	}
	return true;
}

bool options_read(struct options *ret)
{
	*ret = (struct options){};
	return read_environment(ret) && read_arguments(ret);
}
