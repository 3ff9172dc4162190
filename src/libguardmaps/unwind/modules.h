/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs and libraries of a core file, for libdw. */
#ifndef GUARDMAPS_MODULES_H
#define GUARDMAPS_MODULES_H

#include <elfutils/libdwfl.h>

#include "core.h"

/**
 * Report the mapped files that are ELF files, and the vDSO. A file that is not
 * there any more is left out, and so is one whose build ID differs from that in the
 * core file: another program has its name now. Only regular files are opened.
 *
 * @exe: the file of the program, or NULL for where it was.
 * @ret_changed: the name of a file with another build ID, or NULL. Belongs to @core.
 */
void modules_report(const struct guardmaps_core *core, Dwfl *dwfl,
		    const char *exe, const char **ret_changed);

#endif /* GUARDMAPS_MODULES_H */
