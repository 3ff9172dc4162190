// SPDX-License-Identifier: LGPL-2.1-or-later
#include <limits.h>

#include "core.h"
#include "crashes.h"

struct guardmaps_error *open_core(const struct command *command,
				  struct guardmaps_core **ret)
{
	struct guardmaps_error *error = NULL;
	struct guardmaps_map *image = NULL;
	char stored[PATH_MAX];

	if (command->image)
		error = read_image(&command->read, command->image, &image);
	else if (crashes_find_image(command->store, command->core, stored,
				    sizeof(stored)))
		error = read_image(&command->read, stored, &image);
	if (!error)
		error = guardmaps_core_open(command->core, image, ret);
	guardmaps_map_destroy(image);
	return error;
}
