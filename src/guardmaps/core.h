/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CORE_H
#define CORE_H

#include "command.h"

/** Open the core file of --core, with the image of --image. */
struct guardmaps_error *open_core(const struct command *command,
				  struct guardmaps_core **ret);

#endif /* CORE_H */
