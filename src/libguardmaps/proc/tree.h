/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Open files of a recorded tree, which may hold links to anywhere. */
#ifndef GUARDMAPS_TREE_H
#define GUARDMAPS_TREE_H

/**
 * Open a file below a directory for reading, without waiting. No link leads out
 * of the directory.
 *
 * @path: relative, without "..".
 *
 * Returns a descriptor or a negative errno: -EXDEV for a link that leads out.
 * Before Linux 5.6, any link is refused: -ELOOP.
 */
int tree_open(int directory, const char *path, int flags);

#endif /* GUARDMAPS_TREE_H */
