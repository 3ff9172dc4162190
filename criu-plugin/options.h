/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Options: words in the environment variable GUARDMAPS_CRIU, separated by
 * commas, and with criu 4.3 each also as --plugin-option guardmaps.WORD.
 */
#ifndef GUARDMAPS_PLUGIN_OPTIONS_H
#define GUARDMAPS_PLUGIN_OPTIONS_H

#include <stdbool.h>

struct options {
	/** "off": do nothing. */
	bool off;
	/** "strict": fail a dump that would lose anything related to guards. */
	bool strict;
	/**
	 * "prot-none": PROT_NONE in place of guards if the restoring kernel
	 * has none.
	 */
	bool prot_none;
};

/** Returns false, with a line in the log, for an unknown option. */
bool options_read(struct options *ret);

#endif /* GUARDMAPS_PLUGIN_OPTIONS_H */
