/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Core files that are compressed, as systemd-coredump(8) does it. */
#ifndef GUARDMAPS_COMPRESSED_H
#define GUARDMAPS_COMPRESSED_H

#include "core_file.h"

/**
 * If a core file is compressed with zstd(1), decompress it: @file then is one
 * without a name that has its contents, and holes where they are zeros. It is
 * in the directory TMPDIR, or /var/tmp. What is after the first 32 GiB is left out,
 * as if the core file were cut off there.
 *
 * Errors: FORMAT (damaged, or cut off), UNSUPPORTED (compressed in another way),
 * OS, NO_MEMORY.
 */
struct guardmaps_error *compressed_replace(struct core_file *file);

#endif /* GUARDMAPS_COMPRESSED_H */
