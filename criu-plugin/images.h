/* SPDX-License-Identifier: GPL-2.0-only */
/* The images of guard maps in criu's directory. */
#ifndef GUARDMAPS_PLUGIN_IMAGES_H
#define GUARDMAPS_PLUGIN_IMAGES_H

/** Count them. Returns a negative errno on failure. */
int images_count(void);

/**
 * Delete those of an earlier dump into the same directory: a restore would take
 * them for those of this dump. Returns 0, or -1 with a line in the log.
 */
int images_delete(void);

#endif /* GUARDMAPS_PLUGIN_IMAGES_H */
