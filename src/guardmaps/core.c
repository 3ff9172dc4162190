// SPDX-License-Identifier: LGPL-2.1-or-later
#include "core.h"

struct guardmaps_error *open_core(const struct command *command,
				  struct guardmaps_core **ret)
{
	struct guardmaps_error *error = NULL;
	struct guardmaps_map *image = NULL;

	if (command->image)
		error = read_image(&command->read, command->image, &image);
	if (!error)
		error = guardmaps_core_open(command->core, image, ret);
	guardmaps_map_destroy(image);
	return error;
}
